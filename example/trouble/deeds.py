"""The troubles, and what then happens to the site's own code: each returns its steps.

The code that suffers is ordinary Django: no ``try`` to heal anything, no closing of connections.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DataError, Error, connection, connections

from autoemail.errors import name_of
from launch.control import NAME, NotOurs, ask
from mail.models import Delivery
from markets.models import Quote

LONGEST_WORK = 10
"""The page waits for the thread; a longer timeout is only set."""
HOLD_FULL = 2.5
"""Seconds for which the server stays full: somebody else's peak."""
CHILD_TIMEOUT = 10.0
LARGEST_PACKET = 64 << 20
FULL = 1040


class Steps(list[dict[str, Any]]):
    """What happened, a sentence each, and whether it was as it should be."""

    def say(self, text: str, ok: bool = True) -> None:
        self.append({"text": text, "ok": ok})

    def attempt(self, text: str, work: Callable[[], object], allowed: type = ()) -> None:
        """Do what the site would do; an error of the database other than *allowed* is a break."""
        try:
            work()
        except Error as error:
            self.say(f"{text}: {name_of(error)}", ok=isinstance(error, allowed))
        else:
            self.say(f"{text}: fine")


def set_timeout(seconds: int, everywhere: bool) -> Steps:
    """The first report: read the tasks, work for a while, store the outcome."""
    steps = Steps()
    if everywhere:
        ask(Path(settings.FOLDER), "set_global", name="wait_timeout", value=seconds)
        steps.say(f"SET GLOBAL wait_timeout = {seconds}: for all connections opened from now on")
        if seconds > LONGEST_WORK:
            return steps

    def job() -> None:
        if not everywhere:
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION wait_timeout = {seconds:d}")
            steps.say(f"SET SESSION wait_timeout = {seconds}: in a new thread, for its connection")
        steps.attempt("The thread reads its tasks", Delivery.objects.count)
        time.sleep(seconds + 1.5)
        steps.attempt(f"After {seconds + 1.5} s of work it stores the outcome", store_outcome)

    in_thread(job)
    return steps


def kill_sessions() -> Steps:
    """What an administrator does by KILL, or a proxy by a cut."""
    steps = Steps()
    with own_connection() as cursor:
        cursor.execute(
            "SELECT ID FROM information_schema.PROCESSLIST "
            "WHERE USER = %s AND DB = %s AND ID <> CONNECTION_ID()",
            [settings.DATABASES["default"]["USER"], settings.DATABASES["default"]["NAME"]],
        )
        sessions = [row[0] for row in cursor.fetchall()]
        for number in sessions:
            try:
                cursor.execute("KILL %s", [number])
            except driver().Error:
                continue  # It ended by itself meanwhile.
    steps.say(f"KILL for all {len(sessions)} sessions of this site")
    return steps


def restart(kill: bool) -> Steps:
    """Returns when the server answers again."""
    steps = Steps()
    ask(Path(settings.FOLDER), "restart", kill=kill)
    steps.say("The server was killed (-9) and started" if kill else "The server was restarted")
    return steps


def fork() -> Steps:
    """A child that inherits this connection, asks something, and closes what it has."""
    steps = Steps()
    steps.attempt("The parent asks", Quote.objects.exists)
    child = os.fork()
    if child == 0:
        _be_the_child()
    steps.say("A child was forked; it asked the database and closed its connections")
    _wait_for(child)
    steps.attempt("The parent asks again", Quote.objects.count)
    steps.attempt("And once more", Quote.objects.count)
    return steps


def _be_the_child() -> None:
    try:
        Quote.objects.exists()
        connections.close_all()
    finally:
        os._exit(0)


def _wait_for(child: int) -> None:
    give_up = time.monotonic() + CHILD_TIMEOUT
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def oversized_packet() -> Steps:
    """A statement twice as long as the server takes."""
    steps = Steps()
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        limit = cursor.fetchone()[0]
    size = min(2 * limit, LARGEST_PACKET)

    def send() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT LENGTH(%s)", ["x" * size])

    # Refusing it is right; losing the connection over it is not.
    steps.attempt(f"A statement of {size >> 10} KiB, where {limit >> 10} may be", send, DataError)
    steps.attempt("The next statement", Quote.objects.count)
    return steps


def fill_connections() -> Steps:
    """Take every connection the server has, for a moment, while a new thread needs one."""
    if not (Path(settings.FOLDER) / NAME).exists():
        raise NotOurs("Only possible with the server that the example starts.")
    steps = Steps()
    with ExitStack() as taken:
        count = 0
        try:
            while count < 1000:
                taken.enter_context(own_connection())
                count += 1
        except driver().Error as error:
            steps.say(f"{count} connections were taken, then the server said {error.args[0]}")
        release = threading.Timer(HOLD_FULL, taken.pop_all().close)
        release.start()
        in_thread(lambda: steps.attempt("A new thread asks meanwhile", Quote.objects.count))
        release.join()
    steps.say(f"After {HOLD_FULL} s they were given back")
    return steps


def store_outcome() -> None:
    """A write inside ``atomic``, as ``timeline.save()`` in the report."""
    quote = Quote.objects.earliest("day")
    quote.save()


def in_thread(work: Callable[[], None]) -> None:
    """Run in a new thread, as a scheduler does, and wait for it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def driver() -> Any:
    import MySQLdb

    return MySQLdb


@contextmanager
def own_connection() -> Iterator[Any]:
    """A cursor on a connection that has nothing to do with Django's."""
    database = settings.DATABASES["default"]
    opened = driver().connect(
        host=database["HOST"],
        port=int(database["PORT"]),
        user=database["USER"],
        password=database["PASSWORD"],
        database=database["NAME"],
        autocommit=True,
    )
    try:
        yield opened.cursor()
    finally:
        opened.close()
