"""Transactions: never continued on another connection, and never reported wrongly.

The server's answer decides. A COMMIT that was acknowledged is a success whatever happens to the
connection afterwards; one that was never sent is a rollback; one that was sent and not answered
is ``CommitOutcomeUnknown``.
"""

from __future__ import annotations

from django.db.backends.base.base import debug_transaction

from django_lifeline.backends.borrowing import Borrowing
from django_lifeline.backends.hold import Hold
from django_lifeline.core.events import Reason
from django_lifeline.core.retry import Decision, Label
from django_lifeline.core.statement import Statement, statement_of
from django_lifeline.diagnosis.facts import Phase
from django_lifeline.exceptions import CommitOutcomeUnknown

_BEGIN = statement_of("START TRANSACTION")
_COMMIT = statement_of("COMMIT")


class Transactions(Borrowing):
    """The part of a wrapper that begins and ends transactions."""

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """Enable or disable autocommit.

        Enabling it after the transaction's connection is gone needs no new one: the block's
        outcome is decided, and a failure to connect now must not take its place.
        """
        if not (autocommit and self._hold is None and not self.autocommit):
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
            return
        self.validate_no_atomic_block()
        self._refuse_lost_work()
        self.autocommit = True
        if self.run_commit_hooks_on_set_autocommit_on:
            self.run_and_clear_commit_hooks()
            self.run_commit_hooks_on_set_autocommit_on = False

    def _start_transaction_under_autocommit(self) -> None:
        """Enter ``atomic`` in one round trip; Django calls this hook where a backend has it.

        Stock sends ``SET autocommit = 0`` and has to undo it afterwards; START TRANSACTION ends
        by itself. But it would release LOCK TABLES, so a pinned session goes the stock way.
        """
        with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
            hold = self.ready(_BEGIN)
            if hold.pinned_by or hold.manual:
                self._switch_autocommit(hold, False)
                return
            try:
                self._begin(hold)
            except BaseException as error:
                again = self._recover_from_begin(hold, error)
                if again is None:
                    raise
                self._begin(again)

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            if autocommit:
                self._enable_autocommit()
                return
            hold = self.ready(_BEGIN)
            try:
                self._switch_autocommit(hold, False)
            except BaseException as error:
                again = self._recover_from_begin(hold, error)
                if again is None:
                    raise
                self._switch_autocommit(again, False)

    def _enable_autocommit(self) -> None:
        """Go back to autocommit; losing the connection at this point loses nothing else.

        Enabling commits what is open: where that is something, a COMMIT goes first, so that its
        outcome is told like any other's.
        """
        hold = self._hold
        if hold is not None and not hold.server_autocommit and hold.work:
            self._send_commit(hold)
            hold = self._hold
        if hold is None:
            return
        if not hold.server_autocommit:
            try:
                self._switch_autocommit(hold, True)
            except BaseException as error:
                if not self._is_loss(hold, error):
                    raise
                self._bury(hold, Reason.LOST, error)
                return
        self._rest(hold)

    def _begin(self, hold: Hold) -> None:
        hold.connection.exchange(b"START TRANSACTION")
        hold.begun()

    def _switch_autocommit(self, hold: Hold, enabled: bool) -> None:
        hold.connection.autocommit(enabled)
        hold.autocommit_is(enabled)

    def _recover_from_begin(self, hold: Hold, error: BaseException) -> Hold | None:
        """Beginning a transaction leaves nothing behind, so it may always be done again."""
        if not self._is_loss(hold, error):
            if hold.connection.busy:
                self._drop(hold, Reason.INTERRUPTED)
            return None
        decision = Decision(Label.NOT_EXECUTED, repeat=True)
        facts = self._facts(hold, _BEGIN, decision, Phase.IN_FLIGHT, error)
        return self._swap(hold, facts, Reason.LOST)

    def _use_stock_transaction(self, hold: Hold, statement: Statement) -> Hold:
        """Before a statement that may commit implicitly, turn autocommit off as stock has it.

        What follows the implicit commit is then again inside a transaction, not stored one by
        one. SET TRANSACTION must come before its transaction, so one that did nothing is ended.
        """
        try:
            if statement.chooses_transaction and hold.work == 0:
                hold.connection.rollback()
            hold.connection.autocommit(False)
        except BaseException as error:
            if not self._is_loss(hold, error):
                if hold.connection.busy:
                    self._break_off(hold, error)
                raise
            decision = self._decide(hold, statement, sent=False)
            facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
            if not decision.repeat:
                raise self._lose(hold, facts, Reason.LOST) from error
            hold.autocommit_is(False)
            return self._swap(hold, facts, Reason.LOST)
        hold.autocommit_is(False)
        return hold

    def _commit(self) -> None:
        self._refuse_lost_work()
        hold = self._hold
        if hold is None:
            return
        with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
            self._send_commit(hold)

    def _send_commit(self, hold: Hold) -> None:
        if hold.resting:
            # In autocommit mode there is nothing to commit.
            return
        if not self._lives(hold):
            self._commit_not_sent(hold, None)
            return
        try:
            hold.connection.commit()
        except BaseException as error:
            self._commit_failed(hold, error)
        else:
            hold.transaction_over()

    def _commit_failed(self, hold: Hold, error: BaseException) -> None:
        if not self._is_loss(hold, error):
            if hold.connection.busy:
                # Something of the application's broke in while the answer was on its way.
                self._tell_interruption(hold, error, Label.COMMIT_UNKNOWN)
                self._drop(hold, Reason.INTERRUPTED)
                error.add_note("COMMIT had been sent; whether it happened is not known.")
            raise error
        if self._never_left(hold, error) or not hold.wrote:
            self._commit_not_sent(hold, error)
            return
        decision = Decision(Label.COMMIT_UNKNOWN, repeat=False)
        facts = self._facts(hold, _COMMIT, decision, Phase.COMMIT, error)
        raise self._lose(hold, facts, Reason.LOST, CommitOutcomeUnknown) from error

    def _commit_not_sent(self, hold: Hold, error: BaseException | None) -> None:
        """COMMIT did not reach the server: a transaction that only read lost nothing by it."""
        if not hold.wrote:
            self._bury(hold, Reason.DEAD, error)
            return
        label = Label.UNKNOWN_EFFECT if hold.partly_stored else Label.ROLLED_BACK
        decision = Decision(label, repeat=False)
        phase = Phase.BEFORE if error is None else Phase.COMMIT
        facts = self._facts(hold, _COMMIT, decision, phase, error)
        raise self._lose(hold, facts, Reason.DEAD) from error

    def _rollback(self) -> None:
        self._work_lost = False
        hold = self._hold
        if hold is None or hold.resting:
            return
        with debug_transaction(self, "ROLLBACK"), self.wrap_database_errors:
            if not self._lives(hold):
                # The server rolls back by itself when it loses the session.
                self._bury(hold, Reason.DEAD)
                return
            try:
                hold.connection.rollback()
            except self.Database.NotSupportedError:
                pass
            except BaseException as error:
                lost = self._is_loss(hold, error)
                if lost:
                    self._bury(hold, Reason.LOST, error)
                elif hold.connection.busy:
                    self._drop(hold, Reason.INTERRUPTED)
                if not lost:
                    raise
            hold.transaction_over()
