"""What probes are told while the pool is exhausted, and the server frozen, full, or down."""

from __future__ import annotations

import json
import threading
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import Error, connections, transaction
from django.test import RequestFactory
from django.urls import include, path
from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import database, forget, one, outcome, say, wait_until

from lifeline_lab.servers import Server, start

ALIAS = "default"
urlpatterns = [path("health/", include("django_lifeline.health"))]


def probe(name: str) -> tuple[int, Any]:
    """Ask the real handler, request signals included; return the status and what it says."""
    statuses: list[str] = []
    environ = RequestFactory().get(f"/health/{name}/").environ
    response = WSGIHandler()(environ, lambda status, headers: statuses.append(status))
    body = json.loads(b"".join(response))
    response.close()
    return int(statuses[0].split()[0]), body


def both() -> dict[str, Any]:
    """What both probes say, and how many connections were lent for that."""
    pool = connections[ALIAS].pool  # type: ignore[attr-defined]
    before = pool.stats().lends
    live, ready = probe("live"), probe("ready")
    return {
        "live": live[0],
        "ready": ready[0],
        "says": ready[1]["databases"].get(ALIAS),
        "lent": pool.stats().lends - before,
    }


def is_ready() -> bool:
    return probe("ready")[0] == 200


def exhausted(while_it_is: Any = lambda: None) -> dict[str, Any]:
    """All connections are held, and somebody waits for one."""
    let_go = threading.Event()

    def hold() -> None:
        with transaction.atomic(ALIAS):
            one(ALIAS, "SELECT 1")
            held.release()
            let_go.wait(60)

    def ask() -> None:
        outcome(lambda: one(ALIAS, "SELECT 1"))

    held = threading.Semaphore(0)
    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        held.acquire()
    while_it_is()
    threads.append(threading.Thread(target=ask))
    threads[-1].start()
    wait_until(lambda: not is_ready(), "for the wait to be a long one")
    said = both()
    let_go.set()
    if while_it_is.__name__ == "pause":
        while_it_is.__self__.resume()
    for thread in threads:
        thread.join()
    return said


def main() -> None:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["*"]
    settings.LOGGING_CONFIG = None
    server: Server
    with start(SETUP["server"]["flavour"], {"max_connections": 10}) as server:
        place = {"HOST": server.host, "PORT": server.port, "NAME": "probed"}
        server.create_database("probed")
        options = {"pool": {"max_size": 2}, "lifeline": {"full_server_timeout": 0.1}}
        database(ALIAS, "lifeline", ATOMIC_REQUESTS=True, OPTIONS=options, **place)
        report = {"cold": both()}
        one(ALIAS, "SELECT 1")
        report["in use"] = both()
        report["exhausted"] = exhausted()
        report["afterwards"] = both()
        report["frozen"] = exhausted(server.pause)
        connections[ALIAS].pool.drain()  # type: ignore[attr-defined]
        report["full"] = full(server)
        server.stop()
        outcome(lambda: one(ALIAS, "SELECT 1"))
        report["down"] = both()
        server.start_again()
        outcome(lambda: one(ALIAS, "SELECT 1"))
        report["back"] = both()
        forget(ALIAS)
    say(report)


def full(server: Server) -> dict[str, Any]:
    """Others have all connections that the server allows."""
    others = [database(f"other{number}", "stock", ATOMIC_REQUESTS=False) for number in range(20)]

    def taken() -> bool:
        for other in others:
            try:
                one(other, "SELECT 1")
            except Error:
                break
        if outcome(lambda: one(ALIAS, "SELECT 1")) != "ok 1":
            return True
        # A session that had ended was still counted when the others looked for room.
        connections[ALIAS].pool.drain()  # type: ignore[attr-defined]
        return False

    wait_until(taken, "for the server to be full")
    said = both()
    for other in others:
        connections[other].close()
    wait_until(lambda: outcome(lambda: one(ALIAS, "SELECT 1")) == "ok 1", "for the others to go")
    return said


if __name__ == "__main__":
    main()
