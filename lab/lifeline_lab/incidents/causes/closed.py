"""A process closes its own connections."""

from __future__ import annotations

import socket
import time

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import kind
from lifeline_lab.incidents.network import duplicate


@kind("closed_by_application")
def driver_connection_closed(bench: Bench) -> None:
    """Somebody calls close() on the driver's connection."""
    bench.use()
    bench.after_idle(lambda: bench.wrapper.connection.close())


@kind("closed_by_application")
def socket_shut_down(bench: Bench) -> None:
    """Somebody shuts the socket down, as a library that closes all descriptors would."""
    bench.use()

    def fault() -> None:
        with duplicate(bench.fd) as sock:
            sock.shutdown(socket.SHUT_RDWR)
        time.sleep(bench.between(0.0, 0.5))

    bench.after_idle(fault)
