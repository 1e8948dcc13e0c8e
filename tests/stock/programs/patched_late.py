"""gevent patches what a process has loaded and used already, as ``gunicorn --preload`` makes it.

Django asks for the number of the thread anew each time, and refuses a greenlet what is another's.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, outcome, run, say

INSERT = "INSERT INTO note (tag) VALUES (%s)"


class Undone(Exception):
    """Raised by the author of a block."""


def refused(call: Any) -> Any:
    """What came of it; Django's own words would be long."""
    return str(outcome(call))[:40]


def block() -> None:
    with transaction.atomic():
        run("default", INSERT, ["undone"])
        gevent.sleep(0.2)
        raise Undone


def plain() -> None:
    gevent.sleep(0.1)
    run("default", INSERT, ["acknowledged"])


run("default", TABLE)
before = connections["default"]
from gevent import monkey  # noqa: E402

monkey.patch_all()
import gevent  # noqa: E402

jobs = [gevent.spawn(refused, call) for call in (block, plain, before.close, before.cursor)]
said = [job.get(timeout=60) for job in jobs]
say({"said": said, "stored": sorted(tag for (tag,) in admin("SELECT tag FROM note"))})
