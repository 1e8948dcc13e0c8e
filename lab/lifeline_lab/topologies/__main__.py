"""``python -m lifeline_lab.topologies``: runs the situations and writes the page of results."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pymysql

from lifeline_lab.last_run import installed, last_run
from lifeline_lab.report import NAMES
from lifeline_lab.servers import FLAVOURS, Server, ServerMissing, find
from lifeline_lab.topologies import load, page, router
from lifeline_lab.topologies.clusters import DATABASE, Cluster
from lifeline_lab.topologies.figures import Figures, figures
from lifeline_lab.topologies.situations import SITUATIONS, THREADS, Front, Situation

PAGE = Path(__file__).parents[3] / "docs" / "results" / "failover.md"
BEFORE, AFTER = 1.5, 3.0
"""Seconds of load before the event, and after a writable server is there again."""
STOCK, LIFELINE = "django.db.backends.mysql", "django_lifeline.backends.mysql"
ARMS = {
    "Django": (STOCK, 0),
    "Django, persistent": (STOCK, None),
    "django-lifeline": (LIFELINE, 0),
}
DRIVERS = ("mysqlclient", "pymysql")


def measure(situation: Situation, arm: str, driver: str) -> Figures:
    """Run one situation under load with one arm, on servers of its own."""
    with situation.servers() as cluster, situation.front(cluster) as front:
        setup = _setup(situation, cluster.servers[0], front, arm, driver)
        with _running(setup, front.env) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it has begun
            time.sleep(BEFORE)
            front.clear()
            ready = situation.happens(cluster, front)
            time.sleep(AFTER)
            connects = front.most_connects()
            told, _ = process.communicate(timeout=60)
        history = json.loads(told)
        return figures(history, ready=ready, stored=_stored(cluster), connects=connects)


def _stored(cluster: Cluster) -> set[str]:
    """What is on any server that lives and, in a cluster, belongs to the majority."""
    stored: set[str] = set()
    for number in range(len(cluster.servers)):
        with contextlib.suppress(pymysql.err.Error):
            stored |= cluster.rows(number)
    return stored


def _setup(
    situation: Situation, server: Server, front: Front, arm: str, driver: str
) -> dict[str, object]:
    engine, age = ARMS[arm]
    database = {
        "ENGINE": engine,
        "NAME": DATABASE,
        "HOST": front.host,
        "PORT": front.port,
        "USER": server.user,
        "PASSWORD": server.password,
        "CONN_MAX_AGE": age,
    }
    return {
        "driver": driver,
        "database": database,
        "threads": situation.threads,
        "gevent": situation.gevent,
        "pause": situation.pause,
    }


@contextlib.contextmanager
def _running(setup: dict[str, object], env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(Path(load.__file__))],
        env={**os.environ, **env, "LIFELINE_LOAD": json.dumps(setup)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    """Measure what was chosen, and write the page; what was not chosen stays as it was."""
    parser = argparse.ArgumentParser(prog="python -m lifeline_lab.topologies")
    parser.add_argument("--driver", default="mysqlclient", choices=DRIVERS)
    parser.add_argument("--only", default="", help="situations with this in their title")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the results are written")
    parser.add_argument("--fetch", action="store_true", help="download what can be, and is missing")
    options = parser.parse_args()
    if options.fetch:
        print(router.plan() or "Nothing that can be downloaded is missing.", flush=True)
        router.fetch(lambda step: print(f"  {step} …", flush=True))
    rows = page.read(options.page.read_text()) if options.page.exists() else {}
    for situation in SITUATIONS:
        if options.only.lower() in situation.title.lower():
            rows.update(run(situation, options.driver))
    servers = {NAMES[name]: find(name).version for name in FLAVOURS}
    made = last_run({**installed(), **servers})
    options.page.write_text(page.write(rows, order(), threads=THREADS, made=made))


def order() -> list[page.Row]:
    """All rows that the page can have, in its order: each driver's beside the other's."""
    return [
        (titled(situation, driver), arm)
        for situation in SITUATIONS
        for driver in DRIVERS
        for arm in ARMS
    ]


def titled(situation: Situation, driver: str) -> str:
    """The situation as the page names it."""
    return situation.title if driver == "mysqlclient" else f"{situation.title}, PyMySQL"


def run(situation: Situation, driver: str) -> dict[page.Row, str]:
    """Measure a situation with each engine; skipped, visibly, where a program is missing."""
    rows = {}
    title = titled(situation, driver)
    try:
        for arm in ARMS:
            row = page.as_row(title, arm, measure(situation, arm, driver))
            print(row, flush=True)
            rows[title, arm] = row
    except ServerMissing as missing:
        print(f"SKIPPED {title}: {missing}", flush=True)
    return rows


if __name__ == "__main__":
    main()
