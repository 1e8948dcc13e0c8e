"""The edge of `core.topology`: asks a server about its part, and searches for the writable one.

Nothing here runs before a statement was refused, save one comparison for each write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from django_lifeline.backends.notices import FailoverFinished, publish
from django_lifeline.backends.server import ServerFacts, is_mariadb
from django_lifeline.core.backoff import Backoff
from django_lifeline.core.clock import Clock
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.events import Reason
from django_lifeline.core.options import LifelineOptions
from django_lifeline.core.pool import DirectPool, Pool
from django_lifeline.core.pool.slot import RETIRED_GENERATION
from django_lifeline.core.topology import (
    OF_A_GROUP,
    STATUS,
    VARIABLES,
    Role,
    Wanted,
    is_kept,
    patience,
)

if TYPE_CHECKING:
    from django_lifeline.core.pool import Lease

ASKING_TIMEOUT = 2.0
"""Seconds that a server may take to tell its part."""

AnyPool = Pool[DriverConnection] | DirectPool[DriverConnection]


def ask_role(connection: DriverConnection, code: object = None) -> Role | None:
    """Ask a server about its part, in one round trip; None: it does not tell.

    *code* is the error's number after which it is asked.
    """
    rows = None
    if code in OF_A_GROUP and not is_mariadb(connection):
        rows = connection.run_within(_question(connection, group=True), ASKING_TIMEOUT)
        if rows is None and (connection.broken or connection.closed):
            return None
    if rows is None:  # few accounts may see the group's table
        rows = connection.run_within(_question(connection, group=False), ASKING_TIMEOUT)
    return None if rows is None else Role.from_rows((name, value) for name, value in rows)


def _question(connection: DriverConnection, *, group: bool) -> str:
    """Return SQL for names and values: a table of variables has no row for one that is not there.

    Only tables of the schemas are read: a node of Galera that is not ready answers nothing else.
    """
    schema = "information_schema" if is_mariadb(connection) else "performance_schema"
    exempting = ("READ_ONLY ADMIN",) if is_mariadb(connection) else ("SUPER", "CONNECTION_ADMIN")
    parts = [
        f"SELECT variable_name, variable_value FROM {schema}.global_variables"
        f" WHERE variable_name IN {VARIABLES!r}",
        f"SELECT variable_name, variable_value FROM {schema}.global_status"
        f" WHERE variable_name IN {STATUS!r}",
        "SELECT 'exempt', COUNT(*) FROM information_schema.user_privileges"
        " WHERE grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')"
        f" AND privilege_type IN ({', '.join(map(repr, exempting))})",
    ]
    if group:
        parts.append(
            "SELECT 'member_state', member_state FROM performance_schema.replication_group_members"
            " WHERE member_id = @@server_uuid"
        )
    return " UNION ALL ".join(parts)


class Writer:
    """What one target knows of the server that takes its writes.

    ``_turn`` lets one borrower search, so that a crowd of refused ones opens no more connections
    than one; it is reentrant since what the search runs (receivers of ``connection_created``) may
    be refused itself. ``_lock`` guards ``_left`` and what belongs to it, for a moment.
    """

    def __init__(
        self, name: str, options: LifelineOptions, clock: Clock, pool: Callable[[], AnyPool]
    ) -> None:
        self.wanted = Wanted(options.target)
        self.written_on: ServerFacts | None = None
        """What the server was on which a write went through last."""
        self._name = name
        self._timeout = options.failover_timeout
        self._clock = clock
        self._pool = pool
        self._left: ServerFacts | None = None
        """The server that took no writes any more; None: nothing is searched for."""
        self._left_at = 0.0
        self._arrived_at = float("-inf")
        self._failed_at: float | None = None
        """When a search ended last without a find; None: since then one has found it."""
        self.start_over_after_fork()

    def start_over_after_fork(self) -> None:
        """In a forked child: nobody who waits or searches has come along."""
        self._turn = threading.RLock()
        self._lock = threading.Lock()

    @property
    def written(self) -> bool:
        """Whether this process has written here before."""
        return self.written_on is not None

    def wrote(self, facts: ServerFacts, alias: str) -> None:
        """Take in that a write went through."""
        self.written_on = facts
        if self._left is not None and not facts.read_only:
            self._arrive(facts, alias)  # without a search: it came by itself

    def look_at(self, lease: Lease[DriverConnection]) -> None:
        """See to it that a new session on a server that was demoted is not kept for long."""
        facts: ServerFacts = lease.connection.facts
        known = self.written_on
        if facts.read_only and not is_kept(
            read_only=True,
            wanted=self.wanted,
            written=known is not None,
            exempt=known is not None and known.read_only,
        ):
            lease.slot.set_aside()

    def leave(self, lease: Lease[DriverConnection]) -> None:
        """Retire all connections to the server of this one: it takes no writes any more."""
        pool, slot = self._pool(), lease.slot
        with self._lock:
            first = slot.generation == pool.generation
            # One of an older generation comes late: where it led has been left already. So does
            # one that was lent during the last search, as to those who only read.
            aside = slot.generation == RETIRED_GENERATION
            late = lease.connection.opened_at <= self._arrived_at
            if self._left is None and (first or aside and not late):
                self._left, self._left_at = lease.connection.facts, self._clock.monotonic()
        if first:
            pool.retire_generation(Reason.RETIRED)
            pool.hurry_retired()

    def search(self) -> Search | None:
        """Return a new search; None: not now, since one has failed a moment ago."""
        now = self._clock.monotonic()
        seconds = patience(self._failed_at, now, self._timeout)
        return None if seconds is None else Search(self, Backoff(now, seconds), self._clock)

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Wait for the turn to search, for so long at most; not where nothing is searched for."""
        held = self._turn.acquire(timeout=max(seconds, 0.0))
        if held and self._left is None:
            held = False
            self._turn.release()
        try:
            yield
        finally:
            if held:
                self._turn.release()

    def found(self, facts: ServerFacts, alias: str) -> None:
        """Take in that a new connection leads to a server that takes writes."""
        self._failed_at = None
        self._arrive(facts, alias)

    def failed(self) -> None:
        """Take in that a search ended without a find."""
        self._failed_at = self._clock.monotonic()

    def _arrive(self, facts: ServerFacts, alias: str) -> None:
        with self._lock:
            left, self._left = self._left, None
            if left is not None:
                self._arrived_at = self._clock.monotonic()
        if left is None:
            return  # somebody else has told it
        self._pool().hurry_retired()
        seconds = self._clock.monotonic() - self._left_at
        publish(FailoverFinished(self._name, alias, left.host, facts.host, seconds))


class Search:
    """One borrower's search for a server that takes writes."""

    def __init__(self, writer: Writer, backoff: Backoff, clock: Clock) -> None:
        self._writer = writer
        self._backoff = backoff
        self._clock = clock
        self.found = False

    def turn(self) -> AbstractContextManager[None]:
        """Wait until no other borrower searches, or the time is over."""
        until = self._backoff.started + self._backoff.patience
        return self._writer.turn(until - self._clock.monotonic())

    def pauses(self) -> bool:
        """Wait before the next attempt; False: there is no time for one, and the search is over."""
        pause = self._backoff.next_pause(self._clock.monotonic())
        if pause is None:
            self._writer.failed()
            return False
        self._clock.sleep(pause)
        return True

    def ends(self, connection: DriverConnection, code: object, alias: str) -> bool:
        """Whether a new connection leads to a server that takes writes: asks it."""
        role = ask_role(connection, code)
        if role is None or not role.takes_writes:
            return False
        self.found = True
        self._writer.found(connection.facts, alias)
        return True
