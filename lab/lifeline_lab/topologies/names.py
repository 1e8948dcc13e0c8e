"""A host name that is made to lead to another address, as a cloud's DNS name is at a failover.

The name is in a hosts file of its own, which libnss_wrapper shows to one program alone. Addresses
share a port as they do in production: each server has an address of the loopback network, where an
HAProxy passes everything on to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from lifeline_lab.servers import ServerMissing
from lifeline_lab.topologies.clusters import Cluster
from lifeline_lab.topologies.haproxy import HAProxy

ROUTE = """\
listen s{number}
    bind {address}:{port}
    server s{number} {server.host}:{server.port}
"""
FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


class HostName(HAProxy):
    """Leads to the first of the servers at first; ``env`` is what a program needs to see that."""

    host = "database.lab"

    def __init__(self, cluster: Cluster) -> None:
        wrapper = next((file for each in FOLDERS for file in _wrappers(Path(each))), None)
        if wrapper is None:
            raise ServerMissing("There is no libnss_wrapper: apt-get install libnss-wrapper")
        super().__init__(cluster.servers)
        self._hosts = self._folder / "hosts"
        self._changed = int(time.time()) - 1000
        self.env: Mapping[str, str] = {
            "LD_PRELOAD": str(wrapper),
            "NSS_WRAPPER_HOSTS": str(self._hosts),
        }
        self.lead_to(0)

    def lead_to(self, number: int) -> None:
        """Give the name this server's address; connections that are open stay where they are."""
        new = self._folder / "hosts.new"
        new.write_text(f"{_address(number)} {self.host}\n")
        # It is read again where its time differs by a second.
        self._changed += 1
        os.utime(new, (self._changed, self._changed))
        new.replace(self._hosts)

    def _routes(self) -> str:
        return "".join(
            ROUTE.format(number=number, address=_address(number), port=self.port, server=server)
            for number, server in enumerate(self._servers)
        )


def _wrappers(folder: Path) -> list[Path]:
    return sorted([*folder.glob("libnss_wrapper.so*"), *folder.glob("*/libnss_wrapper.so*")])


def _address(number: int) -> str:
    return f"127.0.0.{number + 1}"
