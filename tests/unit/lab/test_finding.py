"""Which server program the lab takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifeline_lab.servers import ServerMissing, find
from lifeline_lab.servers.finding import unpacked_mariadb
from lifeline_lab.servers.install import plan


def says(file: Path, version: str) -> None:
    """Make a program that answers with a version, whatever it is asked."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho 'mariadbd  Ver {version}-MariaDB-4 from Debian'\n")
    file.chmod(0o755)


@pytest.fixture(autouse=True)
def an_installed_mariadb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10.11 is installed, and nothing unpacked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("mariadbd", "mariadb-install-db", "my_print_defaults", "apt-get"):
        says(tmp_path / "bin" / name, "10.11.19")


def unpack() -> None:
    """Put there what `install` unpacks; what runs its program is the C library's loader."""
    (unpacked_mariadb() / "usr/sbin").mkdir(parents=True)
    (unpacked_mariadb() / "usr/sbin/mariadbd").touch()
    says(unpacked_mariadb() / "usr/lib64/ld-linux-x86-64.so.2", "11.8.9")


@pytest.mark.parametrize("choice", [None, "installed"])
def test_installed_mariadb_is_taken_unless_the_other_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, choice: str | None
) -> None:
    monkeypatch.delenv("LIFELINE_MARIADB", raising=False)
    if choice:
        monkeypatch.setenv("LIFELINE_MARIADB", choice)
    unpack()
    assert find("mariadb").version == "10.11.19-MariaDB"
    assert plan("mariadb") == ""


def test_unpacked_mariadb_is_taken_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELINE_MARIADB", "unpacked")
    unpack()
    found = find("mariadb")
    assert found.version == "11.8.9-MariaDB"
    assert found.folder_name == "mariadb-11.8.9-MariaDB"
    assert f"--basedir={unpacked_mariadb()}/usr" in found.arguments
    assert plan("mariadb") == ""


def test_unpacked_mariadb_that_is_missing_is_told_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIFELINE_MARIADB", "unpacked")
    with pytest.raises(
        ServerMissing, match="LIFELINE_MARIADB=unpacked .*lifeline_lab.servers install mariadb"
    ):
        find("mariadb")
    told = plan("mariadb")
    assert "Debian unstable" in told
    assert str(unpacked_mariadb()) in told


def test_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELINE_MARIADB", "11.8")
    with pytest.raises(ValueError, match=r"LIFELINE_MARIADB is '11\.8'"):
        find("mariadb")
