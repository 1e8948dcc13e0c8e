"""Borrowing a connection for a wrapper, and what to do when it dies in the wrapper's hands."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.mysql import base as stock
from django.db.backends.signals import connection_created

from django_lifeline.backends.assembly import Target, clock, quick_target_for, target_for, targets
from django_lifeline.backends.errors import attach
from django_lifeline.backends.evidence import (
    diagnose_raised,
    facts_of,
    successor_of,
    tell_found_dead,
    torn,
)
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.notices import Lost, Restored, publish
from django_lifeline.core.classification import CR_SERVER_LOST, Connection, Ran, verdict
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.events import Reason
from django_lifeline.core.pool import DirectPool, Pool
from django_lifeline.core.retry import Decision, Label, Loss, decide
from django_lifeline.core.statement import Statement, statement_of
from django_lifeline.diagnosis.facts import LossFacts, Phase
from django_lifeline.diagnosis.loss import diagnose
from django_lifeline.diagnosis.model import Done
from django_lifeline.exceptions import ConnectionLost

_getpid = os.getpid
_monotonic = clock.monotonic
_PLAIN = statement_of("SELECT 1")


class Borrowing(stock.DatabaseWrapper):
    """The part of a wrapper that holds a lease.

    ``_hold`` is what the wrapper has now, None when it has nothing. Only the thread that owns
    the wrapper touches it, as Django demands of wrappers anyway.
    """

    # Django's own, without types there.
    autocommit: bool
    run_on_commit: list[Any]
    run_commit_hooks_on_set_autocommit_on: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._hold: Hold | None = None
        self._target: Target | None = None
        self._target_name: object = None
        self._announce = True
        """Whether the next connection is announced with ``connection_created`` in any case."""
        self._work_lost = False
        """A transaction was lost with its connection and not yet rolled back by its author."""
        self.scopes_entered = 0
        """How many `connection_scope` blocks the wrapper's thread is in."""
        super().__init__(*args, **kwargs)

    @property
    def target(self) -> Target:
        """The database that the settings name; raises ``ImproperlyConfigured`` for a wrong one."""
        return self._find_target()

    @property
    def pool(self) -> Pool[DriverConnection] | DirectPool[DriverConnection]:
        """The pool that this wrapper borrows from."""
        return self._find_target().pool

    # Borrowing and giving back

    def _find_target(self) -> Target:
        name = self.settings_dict["NAME"]
        target = self._target
        if target is None or name is not self._target_name:
            if self.alias == NO_DB_ALIAS:
                target = target_for(self, private=True)
            elif self._has_own_parameters():
                target = target_for(self)
            else:
                target = quick_target_for(self)
            self._target = target
            self._target_name = name
            self.isolation_level = target.isolation_level
        return target

    def _has_own_parameters(self) -> bool:
        """Whether a subclass makes parameters that the settings do not tell, such as tokens."""
        return False

    def _take(self, settings: tuple[str, ...] = ()) -> Hold:
        """Borrow, and repeat *settings* of the session that is replaced."""
        pid = _getpid()
        if pid != targets.pid:
            targets.notice_fork()
        try:
            lease = self._find_target().pool.lease()
        except BaseException:
            # Before the next attempt somebody may put the settings right, as with a new password.
            target, self._target = self._target, None
            if target is not None and target.found_dead:
                tell_found_dead(target, self.alias, None)
            raise
        hold = self._hold = Hold(lease, pid, _monotonic())
        target = self._target
        if target is not None and target.found_dead:
            tell_found_dead(target, self.alias, hold.connection)
        if self._announce or not hold.connection.announced:
            hold = self._announce_connection(hold)
        if not self.autocommit and not self.in_atomic_block:
            self._switch_autocommit(hold, False)
        for sql in settings:
            hold.connection.run(sql)
            hold.note(statement_of(sql), sql)
        return hold

    def _announce_connection(self, hold: Hold) -> Hold:
        """Send ``connection_created``: for each physical connection, and after each close().

        What receivers do to the session is part of how this connection begins, so it is neither
        a trace nor repeated for the next borrower.
        """
        self._announce = False
        try:
            connection_created.send(sender=self.__class__, connection=self)
        except BaseException:
            # Half set up: nobody else shall get it.
            self._announce = True
            if self._hold is not None:
                self._drop(self._hold, Reason.DIRTY)
            raise
        hold = self.ready(_PLAIN) if self._hold is None else self._hold
        hold.connection.announced = True
        hold.starts_anew()
        return hold

    def _give_back(self, hold: Hold) -> None:
        self._hold = None
        assert self._target is not None
        pool = self._target.pool
        # One that rests is clean, and perhaps in other hands by now: give_back() knows.
        if hold.resting or hold.clean and not hold.in_transaction or self._cleaned(hold):
            pool.give_back(hold.lease)
        else:
            pool.discard(hold.lease, Reason.DIRTY)

    def _cleaned(self, hold: Hold) -> bool:
        """Reset a session that only has settings of its own; cheaper than a new connection."""
        connection = hold.connection
        if hold.in_transaction or hold.pinned_by or not self._lives(hold):
            return False
        connection.announced = False
        return bool(connection.reset_session())

    def _let_go(self, hold: Hold) -> None:
        """Give back what can be lent again, and end the rest."""
        if self.in_atomic_block:
            self._drop(hold, Reason.CLOSED)
        else:
            self._give_back(hold)

    def _drop(self, hold: Hold, reason: Reason) -> None:
        """End a connection that cannot be used any more, and with it its transaction."""
        self._hold = None
        if self._target is not None:
            self._target.pool.discard(hold.lease, reason)

    def _mark_transaction_lost(self, error: BaseException | None) -> None:
        """Refuse statements and COMMIT until the transaction's author rolls back.

        Django's ``closed_in_transaction`` would end the block in silence where the error was
        swallowed inside it, as if everything had been stored.
        """
        self.run_on_commit = []
        self.rollback_exc = error
        self._work_lost = self.in_atomic_block or not self.autocommit

    def _refuse_lost_work(self) -> None:
        """Raise ``ConnectionLost`` once more in a transaction that is lost already."""
        if not self._work_lost:
            return
        cause = self.rollback_exc
        diagnosis = getattr(cause, "diagnosis", None) or diagnose(
            LossFacts(
                label=Label.ROLLED_BACK,
                phase=Phase.IN_FLIGHT,
                interrupted_by="" if cause is None else type(cause).__name__,
            )
        )
        error = ConnectionLost(
            CR_SERVER_LOST,
            f"The transaction was lost with its connection before this point: {diagnosis} "
            "Leave the atomic block, or call rollback(), before going on.",
        )
        attach(error, diagnosis)
        raise error from cause

    # Before, during and after a statement

    def ready(self, statement: Statement) -> Hold:
        """Return a living connection for *statement*, at no round trip when the held one lives.

        Raises ``ConnectionLost`` when the held one died and took with it what *statement* needs,
        and the pool's or the driver's errors when no other can be had.
        """
        hold = self._hold
        if hold is None or hold.pid != _getpid():
            hold = self._obtain(hold, statement)
        if hold.resting:
            if hold.returned and self.settings_dict["NAME"] is not self._target_name:
                # Test runners set another database's name between two pieces of work.
                self._give_back(hold)
                hold = self._take()
            elif hold.lease.resume():
                hold.resting = hold.returned = False
                slot, now = hold.lease.slot, _monotonic()
                if now >= slot.expires or now - hold.used_at >= slot.max_idle:
                    hold = self._renew(hold, statement)
            else:
                hold = self._replace_recalled(hold, statement)
        connection = hold.connection
        if connection.busy:
            if connection.broken or not hold.is_being_read:
                # An exchange was broken off and nobody could tell us: its rows may still come.
                return self._replace(hold, statement, Reason.INTERRUPTED)
        elif connection.closed or connection.channel.poll(0) and not connection.alive():
            hold = self._replace(hold, statement, Reason.DEAD)
        if hold.began and statement.may_commit:
            hold = self._use_stock_transaction(hold, statement)
        return hold

    def _obtain(self, hold: Hold | None, statement: Statement) -> Hold:
        """Return a connection of this process, which has none, or only its parent's."""
        if hold is not None:
            return self._leave_to_parent(hold, statement)
        self.ensure_connection()
        hold = self._hold
        assert hold is not None
        return hold

    def _renew(self, hold: Hold, statement: Statement) -> Hold:
        """Replace a connection that the server may be about to end.

        It has rested, so nothing depends on it but the answer to a question like
        LAST_INSERT_ID().
        """
        if statement.uses_previous:
            return hold
        if not hold.connection.alive():
            # It has ended it already, which is a loss to be told of.
            return self._replace(hold, statement, Reason.DEAD)
        self._hold = None
        self._find_target().pool.retire(hold.lease)
        return self._take()

    def settle(self, hold: Hold, statement: Statement, sql: str | bytes, cursor: Any) -> bool:
        """Record what a statement left behind; return whether all of its answer has arrived."""
        hold.used_at = _monotonic()
        if hold.connection.busy:
            hold.note(statement, sql)
            hold.reads_on(cursor)
            return False
        if hold.in_transaction or not statement.plain:
            hold.note(statement, sql, cursor)
        elif hold.clean and not hold.exposed:
            # `_rest`, in place for the sake of the common case.
            hold.resting = True
            hold.lease.rest(hold.used_at)
        return True

    def _rest(self, hold: Hold) -> None:
        """Let the pool recall the connection for a borrower in need, where that loses nothing."""
        if (
            hold.clean
            and not (hold.in_transaction or hold.resting or hold.exposed)
            and not hold.connection.busy
        ):
            # In this order: a token given away while the owner believes to hold it would be
            # two holders, the reverse only costs the owner a new lease.
            hold.resting = True
            hold.lease.rest(_monotonic())

    def _lives(self, hold: Hold) -> bool:
        """Whether the connection can take the next command; no round trip."""
        connection = hold.connection
        return hold.pid == _getpid() and not connection.busy and bool(connection.alive())

    def recover(
        self, hold: Hold, statement: Statement, error: BaseException, *, may_repeat: bool = True
    ) -> Hold | None:
        """After *error* came out of *statement*: return a connection to repeat it on, or None.

        None means that *error* itself is for the caller. Raises ``ConnectionLost`` when the
        connection was lost and repeating is not safe.
        """
        if not self._is_loss(hold, error):
            if hold.connection.busy and not hold.is_being_read:
                self._break_off(hold, error)
            else:
                hold.note_failure(statement)
                self._rest(hold)
            return None
        # Of a batch, earlier parts may have run whatever became of the last.
        sent = statement.batch or not self._never_left(hold, error)
        decision = self._decide(hold, statement, sent=sent)
        facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
        if not (decision.repeat and may_repeat):
            raise self._lose(hold, facts, Reason.LOST) from error
        return self._swap(hold, facts, Reason.LOST)

    def lost_reading(
        self, hold: Hold, statement: Statement, error: BaseException, pause: float
    ) -> ConnectionLost | None:
        """After *error* came out of reading rows: return what to raise instead, None for itself.

        ``pause`` is the longest time, in seconds, in which none were read.
        """
        if self._hold is not hold or not self._is_loss(hold, error):
            return None
        decision = self._decide(hold, statement, sent=True)
        facts = self._facts(hold, statement, decision, Phase.READING, error)
        return self._lose(hold, replace(facts, pause=pause), Reason.LOST)

    def _is_loss(self, hold: Hold, error: BaseException) -> bool:
        if not isinstance(error, self.Database.Error):
            return False
        code = error.args[0] if error.args else None
        return verdict(code).connection is Connection.DEAD or bool(hold.connection.closed)

    def _never_left(self, hold: Hold, error: BaseException) -> bool:
        """Whether it is proved that the server cannot have run what was sent last."""
        code = error.args[0] if error.args else None
        if verdict(code).ran is Ran.NO:
            return True
        unsent = hold.connection.channel.unsent_bytes()
        return unsent is not None and unsent > 0

    def _break_off(self, hold: Hold, error: BaseException) -> None:
        """Something broke into an exchange: the rest of its answer must reach nobody."""
        if hold.in_transaction:
            self._mark_transaction_lost(error)
        self._tell_interruption(hold, error)
        self._drop(hold, Reason.INTERRUPTED)

    def _tell_interruption(
        self, hold: Hold, error: BaseException, label: Label = Label.UNKNOWN_EFFECT
    ) -> None:
        """Say on *error*, and to those who listen, that it cost the connection."""
        if hold.in_transaction and not hold.partly_stored and label is Label.UNKNOWN_EFFECT:
            label = Label.ROLLED_BACK
        facts = facts_of(self._find_target(), hold, _PLAIN, label, Phase.IN_FLIGHT, error)
        foreign = not isinstance(error, self.Database.Error)
        facts = replace(facts, statement="", interrupted_by=type(error).__name__ if foreign else "")
        hold.connection.loss_told = True
        diagnosis = diagnose(facts)
        attach(error, diagnosis)
        publish(Lost(self._find_target().name, self.alias, diagnosis))

    def _bury(self, hold: Hold, reason: Reason, error: BaseException | None = None) -> None:
        """End a connection that was lost where nothing was lost with it."""
        phase = Phase.BEFORE if error is None else Phase.IN_FLIGHT
        facts = facts_of(self._find_target(), hold, _PLAIN, Label.NOT_EXECUTED, phase, error)
        facts = replace(facts, forked=hold.pid != _getpid())
        if error is None and hold.connection.busy and not facts.forked:
            facts = torn(facts, hold.connection)
        hold.connection.loss_told = True
        self._drop(hold, reason)
        found = diagnose(replace(facts, statement="", done=Done.DISCARDED))
        publish(Restored(self._find_target().name, self.alias, found))

    def _decide(self, hold: Hold, statement: Statement, *, sent: bool) -> Decision:
        loss = Loss(
            sent=sent,
            in_transaction=hold.in_transaction,
            first_in_transaction=hold.work == 0 and not hold.manual,
            state_lost=bool(hold.pinned_by),
            partly_stored=hold.partly_stored,
        )
        return decide(statement, loss, retry_reads=self._find_target().lifeline.retry_reads)

    def _replace(self, hold: Hold, statement: Statement, reason: Reason) -> Hold:
        """Replace a connection found dead before anything of *statement* was sent."""
        decision = self._decide(hold, statement, sent=False)
        facts = self._facts(hold, statement, decision, Phase.BEFORE, None)
        if reason is Reason.INTERRUPTED:
            facts = torn(facts, hold.connection)
        if not decision.repeat:
            raise self._lose(hold, facts, reason)
        return self._swap(hold, facts, reason)

    def _replace_recalled(self, hold: Hold, statement: Statement) -> Hold:
        """Borrow anew after the pool lent the resting connection to somebody else."""
        self._hold = None
        if statement.uses_previous and not hold.returned:
            # The connection is in other hands and must not be looked at.
            facts = LossFacts(
                label=Label.NOT_EXECUTED,
                phase=Phase.BEFORE,
                statement=statement.keyword,
                ended_for="pool_exhausted",
            )
            raise self._lose(hold, facts, Reason.CLOSED)
        return self._take()

    def _swap(self, hold: Hold, facts: LossFacts, reason: Reason) -> Hold:
        """Go on with another connection where the lost one stood."""
        hold.connection.loss_told = True
        self._drop(hold, reason)
        try:
            new = self._take(hold.settings)
            if hold.began:
                self._begin(new)
            elif not hold.server_autocommit and new.server_autocommit:
                self._switch_autocommit(new, False)
        except BaseException as error:
            if hold.in_transaction:
                self._mark_transaction_lost(error)
            raise
        facts = replace(
            facts,
            done=Done.REPLACED if facts.before_sending else Done.REPEATED,
            successor=successor_of(hold.connection, new.connection),
        )
        publish(Restored(self._find_target().name, self.alias, diagnose(facts)))
        return new

    def _lose(
        self,
        hold: Hold,
        facts: LossFacts,
        reason: Reason,
        kind: type[ConnectionLost] = ConnectionLost,
    ) -> ConnectionLost:
        """End the lost connection and return the error that says so."""
        if hold.in_transaction:
            self._mark_transaction_lost(None)
        if self._hold is hold:
            hold.connection.loss_told = True
            self._drop(hold, reason)
        target = self._find_target()
        diagnosis = diagnose_raised(target, facts, hold.connection)
        error = kind(facts.code or CR_SERVER_LOST, f"The connection was lost: {diagnosis}")
        attach(error, diagnosis)
        if hold.in_transaction:
            self.rollback_exc = error
        publish(Lost(target.name, self.alias, diagnosis))
        return error

    def _facts(
        self,
        hold: Hold,
        statement: Statement,
        decision: Decision,
        phase: Phase,
        error: BaseException | None,
    ) -> LossFacts:
        return facts_of(self._find_target(), hold, statement, decision.label, phase, error)

    def _leave_to_parent(self, hold: Hold, statement: Statement) -> Hold:
        """In a forked child: what was held is the parent's, and so is its transaction."""
        targets.notice_fork()
        self._hold = None
        if hold.in_transaction or hold.pinned_by:
            facts = LossFacts(
                label=Label.NOT_EXECUTED,
                phase=Phase.BEFORE,
                statement=statement.keyword,
                state_lost=hold.pinned_by,
                in_transaction=hold.in_transaction,
                server_thread_id=hold.connection.server_thread_id,
                pid=_getpid(),
                forked=True,
            )
            # Not its connection, so it is not dropped: `_hold` is None by now.
            raise self._lose(hold, facts, Reason.CLOSED)
        return self._take(hold.settings)
