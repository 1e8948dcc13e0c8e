"""``python -m lifeline_lab.topologies``: runs the situations and writes the page of results."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lifeline_lab.servers import Server
from lifeline_lab.topologies import load
from lifeline_lab.topologies.clusters import DATABASE, Cluster, alone, group, pair, wait_until
from lifeline_lab.topologies.figures import Figures, figures
from lifeline_lab.topologies.haproxy import HAProxy

PAGE = Path(__file__).parents[3] / "docs" / "results" / "failover.md"
THREADS = 8
AWAY = 2.5
"""Seconds for which a server is down, beside what it takes to stop and to start."""
BEFORE, AFTER = 1.5, 3.0
"""Seconds of load before the event, and after a writable server is there again."""
STOCK, LIFELINE = "django.db.backends.mysql", "django_lifeline.backends.mysql"
ARMS = {
    "Django": (STOCK, 0),
    "Django, persistent": (STOCK, None),
    "django-lifeline": (LIFELINE, 0),
}


@dataclass(frozen=True)
class Situation:
    """What happens, on which servers."""

    title: str
    servers: Callable[[], contextlib.AbstractContextManager[Cluster]]
    happens: Callable[[Cluster, HAProxy], float]
    """Makes it happen; returns when a server that takes writes could be reached."""
    threads: int = THREADS
    gevent: bool = False


def switch_over(cluster: Cluster, proxy: HAProxy) -> float:
    """A planned one: the old primary stays up, read only, and so do its connections."""
    cluster.promote(1)
    proxy.lead_to(1)
    return time.monotonic()


def crash_and_promotion(cluster: Cluster, proxy: HAProxy) -> float:
    """The primary is killed, and somebody promotes the replica."""
    cluster.servers[0].kill()
    cluster.promote(1)
    proxy.lead_to(1)
    return time.monotonic()


def crash_and_election(cluster: Cluster, proxy: HAProxy) -> float:
    """The primary is killed, and the group elects another one, to which the proxy leads."""
    cluster.servers[0].kill()
    wait_until(lambda: cluster.elected() is not None, "an election")
    proxy.lead_to(cluster.elected() or 0)
    return time.monotonic()


def reload(cluster: Cluster, proxy: HAProxy) -> float:
    """HAProxy is reloaded, which serves open connections for two more seconds and ends them."""
    proxy.reload()
    return time.monotonic()


def restart(cluster: Cluster, proxy: HAProxy) -> float:
    """The server is stopped and started again."""
    cluster.servers[0].stop()
    time.sleep(AWAY)
    cluster.servers[0].start_again()
    return time.monotonic()


SITUATIONS = (
    *(
        Situation(f"{title}, {name}", lambda flavour=flavour: pair(flavour), happens)  # type: ignore[misc]
        for flavour, name in (("mariadb", "MariaDB"), ("mysql", "MySQL"))
        for title, happens in (
            ("Planned switch-over, old primary stays up", switch_over),
            ("Primary killed, replica promoted", crash_and_promotion),
            ("HAProxy reloaded", reload),
        )
    ),
    Situation("Group Replication: set_as_primary", group, switch_over),
    Situation("Group Replication: primary killed", group, crash_and_election),
    Situation("MariaDB away for 3 s, 50 threads", lambda: alone("mariadb"), restart, 50),
    Situation(
        "MariaDB away for 3 s, 200 greenlets", lambda: alone("mariadb"), restart, 200, gevent=True
    ),
)


def measure(situation: Situation, arm: str, driver: str) -> Figures:
    """Run one situation under load with one arm, on servers of its own."""
    with situation.servers() as cluster, HAProxy(cluster.servers) as proxy:
        setup = _setup(situation, cluster.servers[0], proxy, arm, driver)
        with _running(setup) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it has begun
            time.sleep(BEFORE)
            proxy.clear()
            ready = situation.happens(cluster, proxy)
            time.sleep(AFTER)
            connects = proxy.most_connects()
            told, _ = process.communicate(timeout=60)
        history = json.loads(told)
        alive = [n for n, server in enumerate(cluster.servers) if _lives(server)]
        stored = set().union(*(cluster.rows(number) for number in alive))
        return figures(history, ready=ready, stored=stored, connects=connects)


def _lives(server: Server) -> bool:
    try:
        return bool(server.query("SELECT 1"))
    except Exception:
        return False


def _setup(
    situation: Situation, server: Server, proxy: HAProxy, arm: str, driver: str
) -> dict[str, object]:
    engine, age = ARMS[arm]
    database = {
        "ENGINE": engine,
        "NAME": DATABASE,
        "HOST": proxy.host,
        "PORT": proxy.port,
        "USER": server.user,
        "PASSWORD": server.password,
        "CONN_MAX_AGE": age,
    }
    return {
        "driver": driver,
        "database": database,
        "threads": situation.threads,
        "gevent": situation.gevent,
    }


@contextlib.contextmanager
def _running(setup: dict[str, object]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(Path(load.__file__))],
        env={**os.environ, "LIFELINE_LOAD": json.dumps(setup)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def as_row(title: str, arm: str, found: Figures) -> str:
    """One line of the page's table."""
    codes = ", ".join(f"{code} × {n}" for code, n in sorted(found.failed.items())) or "none"
    first = "never" if found.first_success is None else f"{found.first_success * 1000:.0f} ms"
    last = "" if found.last_failure is None else f"{found.last_failure:.1f} s"
    cells = (title, arm, found.writes, codes, found.failed_reads, first, last, found.lost)
    return "| " + " | ".join(map(str, (*cells, found.connects))) + " |"


HEAD = """\
# Failover, as measured

Written by `scripts/lab-topologies` on one noisy two-core machine: use the figures as ratios. Real
servers behind a real HAProxy that leads new connections elsewhere and leaves open ones where they
are; {threads} threads that write a row, read it, and end their piece of work, through {driver}.
*First write* and *last failure* are counted from the moment at which a server that takes writes
could be reached. *Lost* are rows that were acknowledged and are on no server that lives:
asynchronous replication loses what it had not sent when the primary was killed, and no client can
mend that. A write that was under way when its server was killed fails with every engine, since it
may have been stored; so does one that was under way when HAProxy, two seconds after a reload
(`hard-stop-after`), ends what its old process still serves: connections that are kept meet that,
those made for one piece of work do not. Where a server is away, the failures are as many as callers
that come back at once; the connections that are tried for them are not.

"""
COLUMNS = (
    "situation",
    "engine",
    "writes",
    "failed",
    "failed reads",
    "first write",
    "last failure",
    "lost",
    "most connects in a second",
)


def main() -> None:
    """Measure what was chosen, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m lifeline_lab.topologies")
    parser.add_argument("--driver", default="mysqlclient", choices=("mysqlclient", "pymysql"))
    parser.add_argument("--only", default="", help="situations with this in their title")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the results are written")
    options = parser.parse_args()
    rows = []
    for situation in SITUATIONS:
        if options.only.lower() in situation.title.lower():
            for arm in ARMS:
                found = measure(situation, arm, options.driver)
                rows.append(as_row(situation.title, arm, found))
                print(rows[-1], flush=True)
    head = HEAD.format(threads=THREADS, driver=options.driver)
    table = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *rows]
    options.page.write_text(head + "\n".join(table) + "\n")


if __name__ == "__main__":
    main()
