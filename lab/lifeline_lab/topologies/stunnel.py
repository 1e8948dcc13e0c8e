"""TLS by two real stunnels: Django speaks plainly to one, and the other plainly to the server."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from lifeline_lab.servers import ServerMissing
from lifeline_lab.servers.finding import on_path
from lifeline_lab.servers.process import GuardedProcess
from lifeline_lab.servers.server import HOST, free_ports
from lifeline_lab.topologies.accepted import Accepted, await_words
from lifeline_lab.topologies.clusters import Cluster

IDLE = 1
"""Seconds after which an idle connection is ended, where that is the situation."""
PAUSE = 1.5
"""Seconds between two pieces of work of a thread there: longer than that."""
WATCHED = 6.0
"""Seconds for which that situation goes on."""

GLOBAL = """\
foreground = quiet
syslog = no
pid =
debug = notice
output = {log}
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[mysql]
accept = {host}:{accept}
connect = {host}:{connect}
TIMEOUTclose = 0
"""
NEAR = "client = yes\nverifyPeer = yes\nCAfile = {certificate}\n"
FAR = "cert = {certificate}\nkey = {key}\n"
READY = "Configuration successful"


class Stunnel:
    """Listens at ``host``:``port`` without TLS, and carries all to the server within TLS."""

    host = HOST
    env: Mapping[str, str] = {}

    def __init__(self, cluster: Cluster, idle: int | None = None) -> None:
        program = on_path("stunnel")
        if program is None:
            raise ServerMissing("There is no stunnel: apt-get install stunnel4")
        [server] = cluster.servers
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="lifeline-stunnel-"))
        self.port, tls = free_ports(2)
        files = _certificate(self._folder)
        near = NEAR.format(**files) + (f"TIMEOUTidle = {idle}\n" if idle else "")
        self._configure("near", self.port, tls, near)
        self._configure("far", tls, server.port, FAR.format(**files))
        self._starts = {"near": 0, "far": 0}
        self._processes = {end: self._start(end) for end in ("far", "near")}
        self._accepted = Accepted(self._log("near"), "accepted connection from")

    def __enter__(self) -> Stunnel:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes.values():
            process.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self, end: str) -> None:
        """Stop one end, ``near`` or ``far``, and start it again."""
        self._processes[end].end(timeout=10)
        self._processes[end] = self._start(end)

    def clear(self) -> None:
        """Begin to count anew."""
        self._accepted.clear()

    def most_connects(self) -> int:
        """The most connections that the end beside Django accepted in a second, since `clear`."""
        return self._accepted.most()

    def _log(self, end: str) -> Path:
        return self._folder / f"{end}.log"

    def _configure(self, end: str, accept: int, connect: int, more: str) -> None:
        common = GLOBAL.format(log=self._log(end), host=HOST, accept=accept, connect=connect)
        (self._folder / f"{end}.conf").write_text(common + more)

    def _start(self, end: str) -> GuardedProcess:
        self._starts[end] += 1
        words = [self._program, str(self._folder / f"{end}.conf")]
        process = GuardedProcess(words, self._folder / f"{end}.output", self._folder)
        await_words(process, self._log(end), READY, self._starts[end])
        return process


def _certificate(folder: Path) -> dict[str, str]:
    openssl = on_path("openssl")
    if openssl is None:
        raise ServerMissing("There is no openssl, which makes the certificate: install openssl")
    files = {"key": str(folder / "key.pem"), "certificate": str(folder / "certificate.pem")}
    words = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    words += ["-subj", "/CN=lab", "-keyout", files["key"], "-out", files["certificate"]]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return files


def with_idle_limit(cluster: Cluster) -> Stunnel:
    """It ends connections that were idle for a second."""
    return Stunnel(cluster, IDLE)


def near_restarted(cluster: Cluster, stunnel: Stunnel) -> list[float]:
    """The end beside Django is restarted."""
    stunnel.restart("near")
    return [time.monotonic()]


def far_restarted(cluster: Cluster, stunnel: Stunnel) -> list[float]:
    """The end beside the server is restarted; the other takes connections that lead nowhere."""
    stunnel.restart("far")
    return [time.monotonic()]


def idle(cluster: Cluster, stunnel: Stunnel) -> list[float]:
    """All threads pause for longer than an idle connection may live, again and again."""
    time.sleep(WATCHED)
    return [time.monotonic()]
