"""gevent without its threads: all greenlets of a thread share Django's connections.

mysqlclient lets none in while another's statement runs, which such programs count on.
"""

from __future__ import annotations

from typing import Any

import gevent
from django.db import transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, outcome, run, say

INSERT = "INSERT INTO note (tag) VALUES (%s)"


def undone() -> None:
    with transaction.atomic():
        for number in range(10):
            run("default", INSERT, [f"undone {number}"])
        raise ValueError


def block(tag: str) -> None:
    with transaction.atomic():
        run("default", INSERT, [f"{tag}, one"])
        run("default", INSERT, [f"{tag}, two"])


def plain(tag: str) -> None:
    for number in range(10):
        run("default", INSERT, [f"{tag} {number}"])


run("default", TABLE)
jobs = [
    gevent.spawn(outcome, undone),
    gevent.spawn(outcome, lambda: plain("plain")),
    *(gevent.spawn(outcome, lambda tag=tag: block(tag)) for tag in ("a", "b", "c")),
    *(gevent.spawn(outcome, lambda tag=tag: plain(tag)) for tag in ("x", "y")),
]
said: list[Any] = [job.get(timeout=60) for job in jobs]
say({"said": said, "stored": sorted(tag for (tag,) in admin("SELECT tag FROM note"))})
