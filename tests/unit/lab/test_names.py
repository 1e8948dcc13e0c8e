"""A host name of the lab leads elsewhere, and one program sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifeline_lab.servers import ServerMissing
from lifeline_lab.topologies import haproxy, names
from lifeline_lab.topologies.clusters import Cluster


class Address:
    """As much of a server as is needed here."""

    host, port = "127.0.0.1", 20001


@pytest.fixture
def cluster() -> Cluster:
    servers: list[Any] = [Address(), Address()]
    return Cluster(servers, lambda number: None, lambda: 0, lambda number: None)


@pytest.fixture
def name(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> names.HostName:
    """A name whose HAProxy is not started."""
    (tmp_path / "libnss_wrapper.so").touch()
    monkeypatch.setattr(names, "FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(haproxy.shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(haproxy.HAProxy, "_start", lambda self, *words: None)
    monkeypatch.setattr(haproxy.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    return names.HostName(cluster)


def test_name_leads_to_the_address_of_the_server_that_was_named_last(
    name: names.HostName, tmp_path: Path
) -> None:
    hosts = Path(name.env["NSS_WRAPPER_HOSTS"])
    assert hosts.read_text() == "127.0.0.1 database.lab\n"
    before = int(hosts.stat().st_mtime)
    name.lead_to(1)
    assert hosts.read_text() == "127.0.0.2 database.lab\n"
    assert int(hosts.stat().st_mtime) != before


def test_each_server_has_an_address_and_all_share_the_port(name: names.HostName) -> None:
    routes = name._routes()
    assert f"bind 127.0.0.1:{name.port}\n    server s0 " in routes
    assert f"bind 127.0.0.2:{name.port}\n    server s1 " in routes


def test_a_missing_library_is_told_with_what_to_install(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "FOLDERS", (str(tmp_path),))
    with pytest.raises(ServerMissing, match="apt-get install libnss-wrapper"):
        names.HostName(cluster)
