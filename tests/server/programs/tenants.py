"""Many databases in one process: what becomes of the connections that nobody asks for."""

from __future__ import annotations

import gc
import threading
from typing import Any

from django.db import connections
from tests.server.programs.toolbox import database, one, say, sessions, wait_until

from django_lifeline.backends import assembly
from django_lifeline.backends.assembly import targets

TENANTS = 300
IDLE = 0.5


def aliases(prefix: str, **pool: Any) -> list[str]:
    made = []
    for number in range(TENANTS):
        alias = database(f"{prefix}{number}", "lifeline", OPTIONS={"pool": pool})
        assert one(alias, "SELECT 1") == 1
        connections[alias].close()
        made.append(alias)
    return made


def mine(prefix: str) -> list[assembly.Target]:
    return [target for target in targets if target._alias.startswith(prefix)]


def opened(prefix: str) -> int:
    return sum(target.pool.stats().size for target in mine(prefix))


def ask_one() -> None:
    """One piece of work at another database: in passing, it looks at two pools."""
    one("default", "SELECT 1")
    connections["default"].close_if_unusable_or_obsolete()


def in_passing() -> dict[str, Any]:
    """One database goes on, and nobody asks the others any more."""
    names = aliases("passed", max_idle=IDLE)
    before = opened("passed")

    def look() -> bool:
        ask_one()
        return opened("passed") == 0

    wait_until(look, "for the quiet pools to be empty")
    threads = threading.active_count()
    assembly.FORGET_AFTER = 0.0

    def forgotten() -> bool:
        ask_one()
        return not mine("passed")

    wait_until(forgotten, "for the empty pools to be forgotten")
    connections[names[0]].close()
    known = [known for known in assembly._known.values() if known.alias.startswith("passed")]
    assembly.FORGET_AFTER = 600.0
    gc.collect()
    left = [target for target in gc.get_objects() if type(target) is assembly.Target]
    said = {
        "opened": before,
        "threads": threads,
        "known": len(known),
        # Each alias's wrapper of this thread drops its target when it is closed.
        "left": len([target for target in left if target._alias.startswith("passed")]),
        "again": one(names[0], "SELECT 7"),
        "pools": len(mine("passed")),
    }
    connections[names[0]].close()
    return said


def by_thread() -> dict[str, Any]:
    """Nobody asks anything any more, and a thread is allowed."""
    before = sessions()
    aliases("timed", max_idle=IDLE, upkeep=True)
    wait_until(lambda: opened("timed") > 0, "for connections")
    threads = [thread.name for thread in threading.enumerate() if "upkeep" in thread.name]
    wait_until(lambda: opened("timed") == 0, "for the thread to end what is idle")
    wait_until(lambda: len(sessions() - before) <= 1, "for the server to see it")
    return {"threads": len(threads)}


def main() -> None:
    one("default", "SELECT 1")
    say({"in_passing": in_passing(), "by_thread": by_thread()})


if __name__ == "__main__":
    main()
