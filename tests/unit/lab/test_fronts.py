"""What is before the servers: how connections are counted, and what is said where it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifeline_lab.servers import ServerMissing
from lifeline_lab.topologies import router
from lifeline_lab.topologies.accepted import Accepted, busiest_second

LOG = """\
2026-11-29 10:00:00.900 routing DEBUG fd=1 connection accepted at 127.0.0.1:6446
2026-11-29 10:00:01.000 routing DEBUG fd=2 connection accepted at 127.0.0.1:6446
2026-11-29 10:00:01.500 routing DEBUG fd=3 connection accepted at 127.0.0.1:6447
2026-11-29 10:00:01.999 routing DEBUG fd=4 connection accepted at 127.0.0.1:6446
"""
WORDS = "connection accepted at 127.0.0.1:6446"


def test_connections_are_counted_by_the_second_and_by_the_port() -> None:
    assert busiest_second(LOG.splitlines(), WORDS) == 2


def test_a_log_without_connections_counts_none() -> None:
    assert busiest_second([], WORDS) == 0


def test_counting_anew_leaves_out_what_was_before(tmp_path: Path) -> None:
    log = tmp_path / "router.log"
    log.write_text(LOG)
    accepted = Accepted(log, WORDS)
    assert accepted.most() == 2
    accepted.clear()
    assert accepted.most() == 0
    with log.open("a") as more:
        more.write(LOG.splitlines(keepends=True)[0])
    assert accepted.most() == 1


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Router is installed, and none was downloaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(router, "on_path", lambda name: None)
    return tmp_path


def test_a_missing_router_is_told_with_what_brings_it(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "can_unpack", lambda: True)
    with pytest.raises(ServerMissing, match="lab-topologies --fetch"):
        router.find()
    told = router.plan()
    assert "25 MB" in told
    assert "Debian unstable" in told
    assert str(nowhere) in told


def test_where_it_cannot_be_downloaded_it_is_to_be_installed_and_nothing_is_fetched(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "can_unpack", lambda: False)
    with pytest.raises(ServerMissing, match="mysqlrouter is on PATH"):
        router.find()
    said: list[str] = []
    router.fetch(said.append)
    assert said == []


def test_an_installed_router_is_taken_and_nothing_is_missing(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "on_path", lambda name: f"/usr/bin/{name}")
    assert router.find() == (("/usr/bin/mysqlrouter",), None)
    assert router.plan() == ""


def test_an_unpacked_router_runs_on_the_libraries_beside_it(nowhere: Path) -> None:
    root = router.unpacked()
    for name in ("usr/bin/mysqlrouter", "usr/lib64/ld-linux-x86-64.so.2"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    words, plugins = router.find()
    assert words[0] == str(root / "usr/lib64/ld-linux-x86-64.so.2")
    assert str(root / "usr/lib/mysql-router") in words[2].split(":")
    assert words[-1] == str(root / "usr/bin/mysqlrouter")
    assert plugins == root / "usr/lib/mysqlrouter/plugin"
