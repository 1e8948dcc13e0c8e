"""What may be asked about a statement after it: numbers given, rows counted, warnings.

The session answers, and a pooled one has had other borrowers, or may have been recalled by now.
"""

from __future__ import annotations

from typing import Any

from django_lifeline.backends.assembly import clock
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.keepsake import Keepsake, Numbers
from django_lifeline.backends.lending import Lending
from django_lifeline.core.effects import Asks, made_by
from django_lifeline.core.events import Reason
from django_lifeline.core.retry import Label
from django_lifeline.core.statement import Statement
from django_lifeline.diagnosis.facts import LossFacts, Phase
from django_lifeline.exceptions import ConnectionLost

ASKED_WITHIN = 60.0
"""Seconds after a statement in which a procedure may have been meant to ask for its number: hours
later, after a night without work, it runs as if there were none."""
_FORGETS = "DO (SELECT 1 FROM (SELECT 1) AS one)"
"""Takes away the warnings, errors and numbers of the statement before. MariaDB keeps the former
until a statement uses a table, or complains itself."""
_monotonic = clock.monotonic
_NOTHING = Asks.NOTHING
_ROWS_LOOKED_AT = 100
"""Rows of an INSERT with RETURNING among whose numbers its own is looked for."""
_INSERTING = frozenset({"INSERT", "REPLACE"})
_WRITING = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})


class Answers(Lending):
    """The part of a wrapper that knows whose the last statement of the session was."""

    _spoilt: Keepsake | None = None
    """What can still be asked of a statement when something of ours has run after it."""

    def _take_keepsake(self, hold: Hold) -> None:
        """Before the session is used: ask what its last borrower may want to know of it."""
        connection = hold.connection
        keepsake, connection.keepsake = connection.keepsake, None
        if keepsake is None or not keepsake.wanted:
            return
        try:
            keepsake.take(connection)
        except self.Database.Error:
            if connection.broken or connection.closed:
                return  # found dead by whoever uses it first, in the usual way
        hold.seen = connection.commands
        hold.begins_anew()

    def _begin_anew(self, hold: Hold) -> None:
        """Let a new piece of work see nothing of the last one's, as on a new connection."""
        # As Django's `connect`, which it takes the place of.
        settings = self.settings_dict
        self.health_check_enabled, self.health_check_done = settings["CONN_HEALTH_CHECKS"], True
        max_age = settings["CONN_MAX_AGE"]
        self.close_at = None if max_age is None else _monotonic() + max_age
        connection = hold.connection
        session = connection.session
        hold.ran, hold.foreign_id = False, session.inserted
        hold.foreign_complaints = session.complained
        connection.last_id = connection.last_count = 0
        connection.lent_at = connection.commands
        hold.numbers = Numbers()
        hold.keepsake = connection.keepsake = self._keepsake = None

    def _ready_to_tell(self, hold: Hold, statement: Statement) -> Hold:
        """Before a question about an earlier statement: what answers is the wrapper's own, or none.

        A pooled session has had other borrowers, of whom nothing is to be seen. Code that is not
        in the text may ask, too, or insert; what it did to the number nobody sees afterwards.
        """
        keepsake, asks = self._keepsake, statement.asks
        forgets = False
        if keepsake is None or hold.ran:
            unused = bool(asks & Asks.OUTCOME) and not hold.ran
            others = hold.foreign_complaints and (statement.opaque or asks & Asks.COMPLAINTS)
            forgets = unused or bool(others)
        asks_id = statement.opaque or statement.asks & Asks.ID
        self._spoilt = None
        if asks_id and hold.numbers and (hold.foreign_id or keepsake is not None):
            hold = self._prove_id(hold, statement)
            keepsake = self._keepsake
        if asks_id and (hold.foreign_id or keepsake is not None):
            known = 0 if keepsake is None else keepsake.own_last_id()
            if known is not None:
                hold = self._set_last_id(hold, statement, known)
                # What it did itself is asked for next.
                self._keepsake = None if statement.opaque else keepsake
            elif not statement.opaque or keepsake is not None and keepsake.is_fresh:
                raise self._answer_is_lost(hold)
        if forgets:  # now, since to set the number counts as a statement
            hold.connection.run(_FORGETS)
            hold.foreign_complaints = hold.session.complained = False
        hold.seen = hold.connection.commands
        return hold

    def _prove_id(self, hold: Hold, statement: Statement) -> Hold:
        """Ask the session whether its number is one that its holder was shown: then it is his."""
        shown = hold.connection.last_id
        hold, rows = self._run_aside(hold, statement, "SELECT LAST_INSERT_ID()")
        hold.connection.last_id = shown
        if self._is_own_id(hold, rows):
            hold.foreign_id, self._keepsake = False, None
        return hold

    def _is_own_id(self, hold: Hold, rows: list[tuple[Any, ...]]) -> bool:
        numbers, hold.numbers = hold.numbers, Numbers()
        return numbers.has(int(rows[0][0]), hold.session.shown)

    def _run_aside(
        self, hold: Hold, statement: Statement, sql: str
    ) -> tuple[Hold, list[tuple[Any, ...]]]:
        """Run SQL of our own before *statement*, on another connection if that one is lost.

        Asks for ROW_COUNT() and FOUND_ROWS() as well, as the statement's author may be about to.
        """
        try:
            rows = hold.connection.run(f"{sql}, ROW_COUNT(), FOUND_ROWS()")
            if hold.ran and self._spoilt is None:
                self._spoilt = Keepsake(hold, int(rows[0][1]), warned=False)
                self._spoilt.found_rows = int(rows[0][2])
            return hold, rows
        except BaseException as error:
            if not self._is_loss(hold, error):
                if hold.torn:
                    self._break_off(hold, error)
                raise
            decision = self._decide(hold, statement, sent=False)
            facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
            if not decision.repeat:
                raise self._lose(hold, facts, Reason.LOST) from error
            hold = self._swap(hold, facts, Reason.LOST)
            return hold, hold.connection.run(sql)

    def _set_last_id(self, hold: Hold, statement: Statement, known: int) -> Hold:
        shown = 0 if self._keepsake is None else self._keepsake.shown_id
        if hold.ran:
            shown = hold.connection.last_id
        hold, _rows = self._run_aside(hold, statement, f"SELECT LAST_INSERT_ID({known:d})")
        hold.foreign_id, hold.session.inserted = False, True
        hold.connection.last_id = shown
        hold.keepsake = hold.connection.keepsake = Keepsake(hold, -1, warned=False)
        return hold

    def in_place_of(self, statement: Statement, sql: Any, args: Any) -> tuple[Any, Any]:
        """Return what to run for a question whose answer is not in the session any more."""
        keepsake, hold = self._keepsake, self._hold
        if hold is None or not statement.asks & Asks.OUTCOME:
            return sql, args
        if hold.ran and self._spoilt is not None and statement.asks & Asks.ID:
            # To ask for the number came in between.
            return self._spoilt.answer_to(sql, args) or (sql, args)
        if keepsake is None or hold.ran:
            return sql, args
        answer = keepsake.answer_to(sql, args) if keepsake.arrived() else None
        if answer is None:
            raise self._answer_is_lost(hold)
        return answer

    def _answer_is_lost(self, hold: Hold) -> ConnectionLost:
        """The session that could have answered is gone, which is told once."""
        lost, self._keepsake = self._keepsake, None
        facts = LossFacts(
            label=Label.NOT_EXECUTED,
            phase=Phase.BEFORE,
            ended_for="" if lost is None or lost.lost else "pool_exhausted",
        )
        return self._lose(hold, facts, Reason.CLOSED)

    def _note_id(self, hold: Hold, statement: Statement, cursor: Any) -> None:
        """Remember whose number ``LAST_INSERT_ID()`` answers with, and whose are the warnings."""
        if getattr(cursor, "warning_count", 0):
            hold.foreign_complaints, hold.session.complained = False, True
        rows = cursor.description is not None
        if statement.reads_only and statement.asks is _NOTHING and (rows or statement.savepoint):
            return
        if statement.keyword in _WRITING and hold.connection.facts is not self._wrote_on:
            self._note_write(hold)
        elif statement.keyword == "CREATE" and (hides := made_by(statement.text)):
            self._find_target().finds_code(hides)
        # INSERT … RETURNING gives rows in the place of the number. Of other statements with rows
        # the number is one that the driver still shows, unless code ran that is not in the text.
        number = getattr(cursor, "lastrowid", None) or 0
        given = number and (statement.opaque or not rows)
        if given or rows and statement.keyword in _INSERTING:
            hold.session.inserted = True
            numbers = [number] if given else _numbers_in(cursor)
            hold.numbers.add(numbers, hold.session, unsure=statement.batch or not given)
        if statement.asks is not _NOTHING and statement.asks & Asks.ID:
            # LAST_INSERT_ID(expr) gives it, not only asks for it; and it was made its own before.
            hold.session.inserted = True
            hold.session.shown.extend(_numbers_in(cursor))
            hold.numbers, self._keepsake = Numbers(), None

    def _leave_answers(self, hold: Hold, statement: Statement, cursor: Any) -> None:
        """Remember what this statement's author may ask of it, and nobody else."""
        self._note_id(hold, statement, cursor)
        warned = bool(getattr(cursor, "warning_count", 0))
        if statement.reads_only and not warned:
            if hold.keepsake is not None:
                hold.keepsake.row_count, hold.keepsake.warned = -1, False
                hold.keepsake.shown_id = hold.connection.last_id
            return
        # What gave rows (INSERT … RETURNING, too) counts none, whatever the driver says.
        count = -1 if cursor.description is not None else cursor.rowcount
        keepsake = Keepsake(hold, None if statement.batch else count, warned=warned)
        keepsake.shown_id = hold.connection.last_id or getattr(cursor, "lastrowid", 0) or 0
        hold.keepsake = hold.connection.keepsake = keepsake

    def _leave_complaint(self, hold: Hold) -> None:
        """Remember that a statement was answered with an error, which its author may ask for."""
        hold.foreign_complaints, hold.session.complained = False, True
        keepsake = Keepsake(hold, -1, warned=True)
        keepsake.shown_id = hold.connection.last_id
        hold.keepsake = hold.connection.keepsake = keepsake

    def _make_its_own(self, hold: Hold) -> None:
        """Before the application may ask the session itself: nothing of another is left there.

        Its own last number is, though its connection was recalled.
        """
        keepsake = None if hold.ran else self._keepsake
        clean = keepsake is None and not (hold.foreign_id or hold.foreign_complaints)
        if clean or hold.shown or not self._lives(hold):
            return
        known = 0 if keepsake is None else keepsake.own_last_id() or 0
        with hold.beside():
            if hold.numbers:
                rows = hold.connection.run("SELECT LAST_INSERT_ID()")
                known = int(rows[0][0]) if self._is_own_id(hold, rows) else known
            hold.connection.run(f"DO LAST_INSERT_ID((SELECT {known:d} FROM (SELECT 1) AS one))")
        hold.foreign_id = hold.foreign_complaints = hold.session.complained = False
        hold.session.inserted = True

    def _keep_for_later(self, hold: Hold, *, lost: bool = False) -> None:
        """Remember that what may be asked about the last statement is not in the session held."""
        keepsake = hold.keepsake
        owns_id = keepsake is not None and not hold.foreign_id and self._keepsake is None
        if keepsake is None:
            if lost or not hold.ran:
                return
            keepsake = Keepsake.of_a_read(hold)
        keepsake.follows(self._keepsake, hold.numbers, hold.session, owns_id=owns_id)
        keepsake.lost, keepsake.kept = lost, True
        keepsake.is_fresh = _monotonic() - hold.used_at < ASKED_WITHIN
        self._keepsake = keepsake


def _numbers_in(cursor: Any) -> list[int]:
    """Return the whole numbers in the rows of an answer, of which one may be the one given."""
    rows = list(getattr(cursor, "_rows", None) or ())[:_ROWS_LOOKED_AT]
    return [value for row in rows for value in row if type(value) is int]
