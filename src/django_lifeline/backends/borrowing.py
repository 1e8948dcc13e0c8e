"""What a wrapper does before, during and after a statement with the connection it has borrowed."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from django.db import ProgrammingError
from django.db.backends.signals import connection_created

from django_lifeline.backends.assembly import clock, known_target
from django_lifeline.backends.evidence import goes_on_below, goes_on_in, has_turn_below
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.refusals import Refusals
from django_lifeline.core.classification import CR_COMMANDS_OUT_OF_SYNC
from django_lifeline.core.effects import Asks, Hides
from django_lifeline.core.events import Reason
from django_lifeline.core.session import State
from django_lifeline.core.statement import Statement
from django_lifeline.diagnosis.facts import Phase
from django_lifeline.exceptions import PacketTooLarge

_getpid = os.getpid
_monotonic = clock.monotonic
_AUTOCOMMIT, _BEGUN, _DOUBTFUL = State.AUTOCOMMIT, State.BEGUN, State.DOUBTFUL
_NOTHING = Asks.NOTHING
_HIDES_NOTHING, _ALL = Hides.NOTHING, Hides.ALL
_ALONE, _VISITOR = 1, 2
"""A turn of its own, or a signal handler's or finalizer's in the middle of another."""
_TURNS = frozenset({"_ready", "_run", "_start_transaction_under_autocommit", "send_autocommit"})
_STEPS = frozenset({"_begin", "_switch_autocommit", "send_commit", "send_rollback"})
_OUT_OF_SYNC = (
    CR_COMMANDS_OUT_OF_SYNC,
    "Commands out of sync: a signal handler or finalizer came in the middle of a statement",
)


class Borrowing(Refusals):
    """The part of a wrapper that cursors ask, before and after each statement."""

    _turn = 0
    """Whether a statement has its connection and has not settled with it: `_ALONE` or `_VISITOR`.

    One that an error has left so is found out by who comes next.
    """
    _in_step = False
    """A transaction is being begun or ended, which has to be done in one go."""

    def ready(self, statement: Statement) -> Hold:
        """Return a living connection for *statement*, at no round trip when the held one lives.

        Raises ``ConnectionLost`` when the held one died and took with it what *statement* needs,
        and the pool's or the driver's errors when no other can be had.
        """
        mine = self._hold
        if (
            mine is not None
            and mine.resting
            and statement.simple
            and not (self._turn or self._in_step)
            and self._missed is None
            and mine.pid == _getpid()
            and self._goes_on(mine)
        ):
            # The common case: what else there is to do, or to find out, `_ready` does.
            connection = mine.connection
            try:
                if connection.commands == mine.seen and not (
                    connection.busy or connection.closed or connection.channel.poll(0)
                ):
                    self._turn = _ALONE
                    if mine.lease.claim is None:
                        return mine
                    self._turn = 0
            except RuntimeError:
                pass
        return self._ready(statement)

    def _ready(self, statement: Statement) -> Hold:
        visits = self._turn and self._is_visited()
        try:
            hold = self._living(statement)
            if hold.connection.session.state is not _AUTOCOMMIT:
                hold = self._ready_inside(hold, statement)
            if statement.asks is not _NOTHING or statement.opaque:
                hold = self._ready_to_tell(hold, statement)
            self._turn = _VISITOR if visits else _ALONE
            if hold.lease.claim is not None:
                # A signal handler came meanwhile, and has let it rest.
                hold.resting = True
                hold = self._living(statement)
        except BaseException:
            self._forgo(statement)
            raise
        return hold

    def _living(self, statement: Statement) -> Hold:
        """Return a living connection, in whatever state its transaction is."""
        if self._in_step:
            self._refuse_between_steps()
        missed = self._missed
        if missed is not None:
            self._meet(statement, missed)
        hold = self._hold
        if hold is None or hold.pid != _getpid():
            hold = self._hold_again(hold, statement)
        elif hold.resting:
            hold = self._resume(hold, statement)
        connection = hold.connection
        if connection.commands != hold.seen:
            self._notice_unseen(hold)
        if connection.busy:
            if hold.torn:
                return self._replace_torn(hold, statement)
        else:
            try:
                lives = not connection.closed and (
                    not connection.channel.poll(0) or connection.alive()
                )
            except RuntimeError:  # a signal handler, while this very look is under way
                lives = True
            if not lives:
                return self._replace(hold, statement, Reason.DEAD)
        return hold

    def _replace_torn(self, hold: Hold, statement: Statement) -> Hold:
        """An exchange was broken off and nobody could tell us: its rows may still come."""
        self._refuse_amid(hold)
        return self._replace(hold, statement, Reason.INTERRUPTED)

    def _refuse_amid(self, hold: Hold) -> None:
        """Refuse what comes in the middle of an exchange that goes on afterwards."""
        if goes_on_below(hold.connection):
            raise self.Database.ProgrammingError(*_OUT_OF_SYNC)

    def _end_turn(self) -> None:
        self._turn = _ALONE if self._turn == _VISITOR else 0

    def _is_visited(self) -> bool:
        """Whether this is in the middle of another statement's turn, which goes on afterwards."""
        if has_turn_below(self, _TURNS):
            return True
        self._turn = 0
        return False

    def _refuse_between_steps(self) -> None:
        """Refuse what comes in the middle of beginning or ending a transaction.

        A signal handler, or a finalizer: what it did would be taken for a part of that.
        """
        if goes_on_in(self, _STEPS):
            raise self.Database.ProgrammingError(*_OUT_OF_SYNC)
        self._in_step = False  # something broke in before it could be said that it is over

    def _hold_again(self, hold: Hold | None, statement: Statement) -> Hold:
        """Return a connection of this process's."""
        if hold is None:
            self._begin_holding()
            hold = self._hold
            assert hold is not None
        else:
            hold = self._leave_to_parent(hold, statement)
        return self._resume(hold, statement) if hold.resting else hold

    def _resume(self, hold: Hold, statement: Statement) -> Hold:
        """Return one that rested, which is this wrapper's own then, dead or alive."""
        if hold.returned and (self._is_for_another() or self._connects_anew(hold)):
            self._give_back(hold)
            return self._hold_again(None, statement)
        if not hold.lease.resume():
            return self._replace_recalled(hold, statement)
        slot, now = hold.lease.slot, _monotonic()
        # With CONN_MAX_AGE stock Django goes on where the last piece of work ended.
        if hold.returned and self.close_at is not None and now >= self.close_at:
            self._begin_anew(hold)
        hold.resting = hold.returned = False
        if now >= slot.expires or now - hold.used_at >= slot.max_idle:
            return self._renew(hold, statement)
        return hold

    def _goes_on(self, hold: Hold) -> bool:
        """Take in hand again what rested, as `_resume` does, where nothing else is to be done."""
        lease, now = hold.lease, _monotonic()
        slot = lease.slot
        if now >= slot.expires or now - hold.used_at >= slot.max_idle:
            return False
        if hold.returned:
            known = self._known
            if (
                known is None
                or known.target.pool is not hold.pool
                or connection_created.receivers
                or hold.connection.session.arranged is not None
                or not known.still_describes(self)
                or not lease.resume()
            ):
                return False
            if self.close_at is not None and now >= self.close_at:
                self._begin_anew(hold)
        elif not lease.resume():
            return False
        hold.resting = hold.returned = False
        return True

    def _is_for_another(self) -> bool:
        """Whether what was left at the end of a piece of work leads to another database.

        Test runners change the settings in between, and so do sites of many tenants.
        """
        known, hold = self._known, self._hold
        return (
            known is not None
            and hold is not None
            and not (known.target.pool is hold.pool and known.still_describes(self))
            and known_target(self).target.pool is not hold.pool
        )

    def _connects_anew(self, hold: Hold) -> bool:
        """Whether the next piece of work shall begin as on a new connection, for others to see.

        Stock Django closes it then, so who listens to new connections hears of the next one.
        """
        arranged = connection_created.receivers or hold.session.arranged is not None
        return bool(arranged) and self._is_obsolete()

    def _is_obsolete(self) -> bool:
        return self.close_at is not None and _monotonic() >= self.close_at

    def _begin_holding(self) -> None:
        """Connect as Django does, or take the place of a connection that was lost."""
        untaken, self._untaken = self._untaken, None
        if untaken is not None:
            raise untaken
        self.ensure_connection()
        if self._hold is None:
            self._refuse_in_block()

    def _refuse_in_block(self) -> NoReturn:
        """Django holds a connection throughout a block: this one's is gone.

        Where Django closed it and goes on, the driver's closed one says so, as with stock.
        """
        self.validate_no_broken_transaction()
        if self.closed_in_transaction and self._gone is not None:
            self._gone.connection.run("DO 0")
        raise ProgrammingError("Cannot open a new connection in an atomic block.")

    def _renew(self, hold: Hold, statement: Statement) -> Hold:
        """Replace a connection that the server may be about to end.

        It has rested, so nothing depends on it but the answer to a question like
        LAST_INSERT_ID().
        """
        if statement.asks is not _NOTHING:
            return hold
        if not hold.connection.alive():
            # It has ended it already, which is a loss to be told of.
            return self._replace(hold, statement, Reason.DEAD)
        self._take_keepsake(hold)
        self._hold = None
        self._keep_for_later(hold)
        hold.pool.retire(hold.lease)
        return self._shows_what_it_showed(self._take())

    def _ready_inside(self, hold: Hold, statement: Statement) -> Hold:
        """Inside a transaction that START TRANSACTION began, be as stock's session would be.

        Stock has autocommit off. So after an error, with which the server may have ended the
        transaction, and before a statement that may end it: what follows is then in a transaction
        again, not stored one by one.
        """
        state = hold.session.state
        if state is _DOUBTFUL:
            # A mere question would not be answered after another statement; what writes or locks,
            # and asks by the way, must not be by itself for that.
            if statement.asks is _NOTHING or not (
                statement.tableless or statement.keyword == "GET"
            ):
                return self._use_stock_transaction(hold, statement)
        elif state is _BEGUN and (
            statement.may_commit or statement.shapes or statement.sets_the_unknown
        ):
            return self._use_stock_transaction(hold, statement)
        return hold

    def settle(self, hold: Hold, statement: Statement, sql: str | bytes, cursor: Any) -> bool:
        """Record what a statement left behind; return whether all of its answer has arrived.

        By then its cursor has no connection any more.
        """
        if self._hold is not hold:
            # The application's own cursor has closed it, and run the statement on another.
            self._end_turn()
            return True
        hold.used_at = now = _monotonic()
        hold.ran = True
        connection = hold.connection
        session = connection.session
        if (
            statement.simple
            and session.state is _AUTOCOMMIT
            and session.hides is not _ALL
            and self._turn == _ALONE
            and connection.status() == hold.status
            and not (connection.busy or cursor.warning_count or hold.shown)
            and hold.keepsake is None
        ):
            # The common case: what `_settle` does of it.
            self._turn = 0
            hold.seen = connection.commands
            hold.resting = True
            if not hold.lease.rest(now, left=session):
                hold.resting = False
            elif self._untold:
                self._tell()
            return True
        return self._settle(hold, statement, sql, cursor)

    def _settle(self, hold: Hold, statement: Statement, sql: str | bytes, cursor: Any) -> bool:
        visited, self._turn = self._turn == _VISITOR, 0
        connection, session = hold.connection, hold.session
        if connection.busy:
            self._note(hold, statement, sql, cursor)
            hold.seen = connection.commands
            return False
        hides = session.hides is not _HIDES_NOTHING and session.may_hide(statement)
        if hides or connection.status() != hold.status or not statement.plain:
            self._note(hold, statement, sql, cursor)
        elif session.state is not _AUTOCOMMIT:
            session.ran(statement, sql, None)
            self._note_id(hold, statement, cursor)
        elif not statement.reads_only or cursor.warning_count or hold.keepsake is not None:
            self._leave_answers(hold, statement, cursor)
        # Last of all: until then, whatever breaks in leaves a session of which too little is known.
        hold.seen = connection.commands
        if visited:
            self._turn = _ALONE
        elif hold.shown:
            self._rest(hold)
        elif session.clean:
            # `_rest`, in place for the sake of a common case.
            hold.resting = True
            if not hold.lease.rest(hold.used_at, answers=hold.keepsake is not None, left=session):
                hold.resting = False
            elif self._untold:
                self._tell()
        return True

    def _note(self, hold: Hold, statement: Statement, sql: str | bytes, cursor: Any) -> None:
        hold.session.ran(statement, sql, getattr(cursor, "_executed", None))
        self._observe(hold)
        self._leave_answers(hold, statement, cursor)
        if self._missed is not None and self._taking is not None:
            self._take_up(statement)

    def _note_write(self, hold: Hold) -> None:
        """A write went through: the alias is one that writes, and the server took it.

        Not where it may have been to a temporary table, which a server that is read only takes.
        """
        if not hold.session.lost_with_it:
            self._wrote_on = facts = hold.connection.facts
            self._find_target().writer.wrote(facts, self.alias)

    def finished_reading(self, hold: Hold) -> None:
        """A result that was read row by row has been read to its end."""
        if self._hold is hold:
            self._observe(hold)
            hold.used_at = _monotonic()
            self._rest(hold)

    def recover(
        self, hold: Hold, statement: Statement, error: BaseException, *, repeats: int = 0
    ) -> Hold | None:
        """After *error* came out of *statement*: return a connection to repeat it on, or None.

        *repeats*: how often it was repeated already. None means that *error* itself is for the
        caller. Raises ``ConnectionLost`` when the connection was lost and repeating is not safe.
        """
        self._end_turn()
        if not self._is_loss(hold, error):
            if hold.torn:
                self._break_off(hold, error)
                return None
            too_large = isinstance(error, PacketTooLarge) and self._sent_nothing(hold)
            again = self._after_refusal(hold, statement, error, may_follow=repeats < 2)
            if again is None and self._hold is hold:
                self._note_failure(hold, statement)
                if too_large:
                    return self._where_more_is_taken(hold, statement, may_follow=not repeats)
            return again
        # Of a batch, earlier parts may have run whatever became of the last; and what is unsent of
        # LOAD DATA LOCAL is the file's.
        parts = statement.batch or statement.keyword == "LOAD"
        sent = parts or not self._never_left(hold, error)
        decision = self._decide(hold, statement, sent=sent)
        facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
        try:
            if not decision.repeat or repeats:
                raise self._lose(hold, facts, Reason.LOST) from error
            return self._swap(hold, facts, Reason.LOST, error)
        except BaseException:
            self._forgo(statement)
            raise

    def _note_failure(self, hold: Hold, statement: Statement) -> None:
        """Record what a statement may have done that was answered with an error."""
        if self._sent_nothing(hold):
            self._rest(hold)  # nothing was sent: the driver refused its parameters
        else:
            self._failed(hold, statement)

    def failed_reading(self, hold: Hold, statement: Statement) -> None:
        """What was left of an answer was an error of the server's: the statement failed after all.

        So with a deadlock in the middle of the rows, which ends the transaction.
        """
        if self._hold is hold:
            self._failed(hold, statement)

    def _failed(self, hold: Hold, statement: Statement) -> None:
        hold.ran = True
        self._leave_complaint(hold)
        hold.session.failed(statement)
        if statement.asks is not _NOTHING or statement.opaque or statement.batch:
            hold.session.inserted = True  # it may have given a number before it failed
        self._observe(hold)
        hold.seen = hold.connection.commands
        self._rest(hold)

    def _sent_nothing(self, hold: Hold) -> bool:
        return hold.connection.commands == hold.seen
