"""One lane: a thread with a database, a proxy and an administrator of its own, running cells."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pymysql
from django.db import Error, connections
from django.test import Client

from tests.sweep.cells import Fault
from tests.sweep.laws import Facts, Raised
from tests.sweep.paper import routing
from tests.sweep.paper.models import Mark
from tests.sweep.wire import Seen, Wire
from tests.sweep.work import START, Stage, Workload
from tests.sweep.workloads import drain

_numbers = count(1)


class OwnClient(Client):
    """Django's test client; it takes no notice of what other threads' requests raise."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.local()

    def request(self, **request: Any) -> Any:
        """Make a request."""
        self._own.here = True
        return super().request(**request)

    def store_exc_info(self, **kwargs: Any) -> None:
        """Called for every request of the process."""
        if getattr(self._own, "here", False):
            super().store_exc_info(**kwargs)


class Lane:
    """Runs one cell after the other; to be used by one thread."""

    def __init__(self, alias: str, wire: Wire, socket: str, *, lifeline: bool) -> None:
        self.alias = alias
        self.wire = wire
        self.client: Client | None = None
        self._lifeline = lifeline
        self._admin = pymysql.connect(
            unix_socket=socket,
            user="root",
            database=connections.settings[alias]["NAME"],
            autocommit=True,
            ssl_disabled=True,
            client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
        )

    def close(self) -> None:
        """End all connections."""
        drain(self.alias)
        self._admin.close()

    def admin(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one round trip; return the last one's rows."""
        with self._admin.cursor() as cursor:
            cursor.execute(";".join(statements))
            rows = cursor.fetchall()
            while cursor.nextset():
                rows = cursor.fetchall()
        return list(rows)

    def run(self, workload: Workload, fault: Fault | None) -> Facts:
        """Run one workload with one fault, and look at what it left."""
        routing.use(self.alias)
        rows = ",".join(f"({n}, '{name}', {number})" for n, (name, number) in enumerate(START, 1))
        self.admin(*workload.clean, f"INSERT INTO paper_sheet VALUES {rows}")
        self._begin_with_one_connection(cold=workload.cold)
        stage = Stage(self.alias, self.client)
        self.wire.begin(fault)
        answer, raised = _attempt(lambda: workload.run(stage))
        seen = self.wire.settle()
        facts = Facts(workload, fault, seen, raised, answer, hooks=stage.hooks)
        facts.lifeline = self._lifeline
        self._look_at_the_next(facts)
        return facts

    def _begin_with_one_connection(self, *, cold: bool) -> None:
        connection = connections[self.alias]
        connection.close_if_unusable_or_obsolete()
        if not cold and self.wire.open == 1:
            return
        drain(self.alias)
        self.wire.settle()
        if not cold:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchone()
            connection.close_if_unusable_or_obsolete()

    def _look_at_the_next(self, facts: Facts) -> None:
        here, there = f"here {next(_numbers)}", f"there {next(_numbers)}"
        facts.next += self._next(here)
        self._give_back(facts)
        thread = threading.Thread(target=self._in_new_thread, args=(there, facts.thread))
        thread.start()
        thread.join()
        facts.stored = tuple(self.admin(facts.workload.look))
        marks = [text for (text,) in self.admin("SELECT text FROM paper_mark")]
        self.admin("DELETE FROM paper_mark")
        for mark, complaints in ((here, facts.next), (there, facts.thread)):
            if not complaints and marks.count(mark) != 1:
                complaints.append(f"its row is stored {marks.count(mark)} times")

    def _next(self, mark: str) -> list[str]:
        """Write and ask something that nobody else asks; return what is wrong with it."""

        def ask() -> Any:
            Mark.objects.create(text=mark)
            with connections[self.alias].cursor() as cursor:
                cursor.execute("SELECT %s", [mark])
                return cursor.fetchall()

        answer, raised = _attempt(ask)
        if raised is not None:
            return [f"the next statement raised {raised}"]
        return [] if answer == ((mark,),) else [f"the next statement was answered {answer!r}"]

    def _in_new_thread(self, mark: str, complaints: list[str]) -> None:
        routing.use(self.alias)
        complaints += self._next(mark)
        connections[self.alias].close()

    def _give_back(self, facts: Facts) -> None:
        connection = connections[self.alias]
        for step in (connection.close_if_unusable_or_obsolete, connection.close):
            _, raised = _attempt(step)
            if raised is not None:
                facts.leaks.append(f"{step.__name__}() raised {raised}")
        if not self._lifeline:
            return
        from django_lifeline import pools

        for thread in threading.enumerate():
            if thread.name == "lifeline-asks":
                thread.join(10)  # it goes on for a moment after its caller has
        stats = pools[self.alias].stats()
        if stats.used or stats.size > stats.max_size or stats.waiting or stats.connecting:
            facts.leaks.append(f"{stats.used} used, {stats.size} open of {stats.max_size}")


def _attempt(step: Callable[[], Any]) -> tuple[Any, Raised | None]:
    try:
        return step(), None
    except BaseException as error:
        return None, describe(error)


def describe(error: BaseException) -> Raised:
    """What an exception says."""
    from django_lifeline.exceptions import CommitOutcomeUnknown, ConnectionLost

    diagnosis = getattr(error, "diagnosis", None)
    return Raised(
        kind=f"{type(error).__module__}.{type(error).__qualname__}",
        django=isinstance(error, Error),
        number=_number(error),
        lost=isinstance(error, ConnectionLost),
        unknown=isinstance(error, CommitOutcomeUnknown),
        label=getattr(getattr(diagnosis, "label", None), "value", None),
    )


def _number(error: BaseException) -> object:
    """Its first argument, or what ``loaddata`` has made a part of its text."""
    first = error.args[0] if error.args else None
    found = re.search(r"\((\d+), ", first) if isinstance(first, str) else None
    if found is not None and first.startswith("Problem installing"):
        return int(found[1])
    return first


__all__ = ["Lane", "Seen", "describe"]
