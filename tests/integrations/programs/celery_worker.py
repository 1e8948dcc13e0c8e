"""A real Celery worker with a real broker: tasks, an idle loss, limits, kills, and its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.management import call_command
from tests.fixtures.program_setup import SETUP, admin
from tests.integrations.programs.watch import (
    aborted,
    kill_all,
    say,
    sessions_of_this_database,
    wait_until,
)

from lifeline_lab.wire import WireProxy

PATIENCE = 30
POOL = os.environ["POOL"]


@contextmanager
def worker() -> Any:
    """The worker while the block runs; then it is asked to end and waited for.

    With gevent Celery takes five seconds for that, whatever we do, so there it is killed.
    """
    words = [sys.executable, "-m", "celery", "-A", "tests.integrations.programs.celery_app"]
    words += ["worker", "--pool", POOL, "--concurrency", "2", "--loglevel", "CRITICAL"]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill() if POOL == "gevent" else process.terminate()
            process.wait(PATIENCE)


def tasks_round_an_idle_loss(tasks: Any) -> dict[str, Any]:
    """Tasks one after the other; all connections are lost; then again."""

    def looks(*tags: str) -> list[Any]:
        return [tasks.look.delay(tag).get(timeout=PATIENCE, interval=0.02) for tag in tags]

    before = looks("a", "b", "c")
    killed = kill_all()
    after = looks("d", "e")
    return {
        "answers": "".join(answer for _, answer, _ in before + after),
        "held": max(used for used, _, _ in before),
        "killed": killed > 0,
    }


def limits(tasks: Any) -> dict[str, Any]:
    """A soft limit inside a statement, a hard one inside another, and what follows."""
    soft = tasks.too_slow.delay("right").get(timeout=PATIENCE) if POOL == "prefork" else ""
    try:
        tasks.hopeless.delay().get(timeout=PATIENCE)
        hard = "ended"
    except Exception as error:
        hard = type(error).__name__
    after = [tasks.look.delay(tag).get(timeout=PATIENCE, interval=0.02)[1] for tag in "xyz"]
    return {"soft": soft, "hard": hard, "after": "".join(after)}


def exactly_once(tasks: Any, proxy: WireProxy) -> dict[str, Any]:
    """Tasks whose worker dies before it acknowledges, or whose COMMIT gets no answer."""
    results = {}
    results["killed"] = tasks.book.delay("killed", dies=True).get(timeout=PATIENCE)
    fault = proxy.on("^COMMIT", "after_send")
    results["unanswered"] = tasks.book.delay("unanswered").get(timeout=PATIENCE)
    results["fired"] = fault.fired.is_set()
    results["rows"] = [row[0] for row in admin("SELECT name FROM booked ORDER BY name")]
    return results


def running_sleeps() -> list[Any]:
    """Statements that nobody waits for any more; the server notices at their end."""
    return admin(
        "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(%'"
        " AND id <> CONNECTION_ID()"
    )


def main() -> None:
    if os.environ["RESULTS"] == "django-db":
        apps.set_installed_apps(["django_celery_results"])
        call_command("migrate", verbosity=0)
    admin("CREATE TABLE done (task_id VARCHAR(255) PRIMARY KEY)")
    admin("CREATE TABLE booked (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50))")
    with WireProxy(SETUP["server"]["host"], SETUP["server"]["port"]) as proxy:
        through = {"HOST": "127.0.0.1", "PORT": proxy.port}
        setup = {**SETUP, "gevent": False, "database": {**SETUP["database"], **through}}
        os.environ["LIFELINE_PROGRAM"] = json.dumps(setup)
        with worker():
            from tests.integrations.programs import celery_app as tasks

            said: dict[str, Any] = {"tasks": tasks_round_an_idle_loss(tasks)}
            if POOL != "threads" and os.environ.get("LIMITS") != "no":
                said["limits"] = limits(tasks)
            if POOL == "prefork":
                said["once"] = exactly_once(tasks, proxy)
            wait_until(lambda: not running_sleeps(), "for what was broken off to end")
            before_the_end = aborted()
        if POOL != "gevent":
            wait_until(lambda: len(sessions_of_this_database()) <= 1, "for the worker's sessions")
            said["aborted"] = aborted() - before_the_end
    say(said)


if __name__ == "__main__":
    main()
