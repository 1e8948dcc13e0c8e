"""A server that is away, refusing, silent or gone for a moment, and many who want a connection."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import Checks, forget, one, outcome, say, wait_until

from lifeline_lab.wire import WireProxy

CALLERS = 20
CONNECT_TIMEOUT = 2
proxy: WireProxy
check = Checks()


def crowd(alias: str, call: Callable[[], Any]) -> Counter[str]:
    """What many callers, who begin together, are told."""
    said: Counter[str] = Counter()
    together = threading.Barrier(CALLERS)

    def ask() -> None:
        together.wait()
        said[outcome(call)] += 1
        forget_own(alias)

    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def forget_own(alias: str) -> None:
    connections[alias].close()


@check
def refusing(alias: str) -> Any:
    """Nothing listens."""
    proxy.refuse()
    try:
        return crowd(alias, lambda: one(alias, "SELECT 1"))
    finally:
        proxy.resume()


@check
def silent(alias: str) -> Any:
    """A black hole: whoever connects waits for his own ``connect_timeout``, and no longer."""
    accepted = proxy.accepted
    proxy.blackhole()
    try:
        return crowd(alias, lambda: one(alias, "SELECT 1")), proxy.accepted - accepted
    finally:
        proxy.resume()
        proxy.cut()


@check
def back_again(alias: str) -> Any:
    """After an outage everybody is served, and the pool is as large as before."""
    proxy.refuse()
    during = outcome(lambda: one(alias, "SELECT 1"))
    proxy.resume()
    return during.split()[0], crowd(alias, lambda: one(alias, "SELECT 1"))


def rides_out(alias: str) -> Any:
    """With ``ride_out`` those who ask during an outage are served at its end."""
    one(alias, "SELECT 1")
    forget(alias)
    proxy.refuse()
    said: list[Counter[str]] = []
    waiting = threading.Thread(
        target=lambda: said.append(crowd(alias, lambda: one(alias, "SELECT 1")))
    )
    waiting.start()
    if alias.startswith("lifeline"):
        pool = connections[alias].pool  # type: ignore[attr-defined]
        wait_until(lambda: pool.stats().waiting + pool.stats().connecting == CALLERS)
    else:
        waiting.join()
    proxy.resume()
    waiting.join()
    return said[0]


def wrong_password(alias: str) -> Any:
    """Never waited for: it would be wrong in a moment, too."""
    connections.settings[alias].update(PASSWORD="not this one")
    return outcome(lambda: one(alias, "SELECT 1"))


def main() -> None:
    global proxy
    # PyMySQL waits for a silent server's greeting by the latter.
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": CONNECT_TIMEOUT}
    with WireProxy(SETUP["server"]["host"], SETUP["server"]["port"]) as proxy:
        report = check.report(PORT=proxy.port, OPTIONS=options)
        patient = Checks()
        patient(rides_out)
        patient(wrong_password)
        options = {"lifeline": {"ride_out": 60}, "pool": {"timeout": 60}}
        say({**report, "patient": patient.report(PORT=proxy.port, OPTIONS=options)})


if __name__ == "__main__":
    main()
