"""Transactions: never continued on another connection, and never reported wrongly.

The server's answer decides. A COMMIT that was acknowledged is a success whatever happens to the
connection afterwards; one that was never sent is a rollback; one that was sent and not answered
is ``CommitOutcomeUnknown``.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from django.db import Error
from django.db.backends.base.base import debug_transaction

from django_lifeline.backends.blocks import leaves_a_block, savepoint_of
from django_lifeline.backends.borrowing import Borrowing
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.lending import OF_TRANSACTIONS
from django_lifeline.core.classification import Ran, verdict
from django_lifeline.core.effects import Keeps
from django_lifeline.core.events import Reason
from django_lifeline.core.retry import Decision, Label
from django_lifeline.core.session import Move, State
from django_lifeline.core.statement import Statement, statement_of
from django_lifeline.diagnosis.facts import Phase
from django_lifeline.exceptions import CommitOutcomeUnknown

_BEGIN = statement_of("START TRANSACTION")
_BEGIN_BY_US = replace(_BEGIN, may_commit=False, keeps=Keeps.NOTHING)
"""As the engine sends it: never where a transaction is open, so it ends none."""
_COMMIT = statement_of("COMMIT")
_BEGUN_IN_SQL = Keeps.TRANSACTION | Keeps.MODE


class Transactions(Borrowing):
    """The part of a wrapper that begins and ends transactions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._conducting = False
        """Django's own method is running, and works on the `Conductor`."""
        self._winding_up = False
        """Autocommit is being enabled, and no transaction is open whose outcome is not decided."""
        self._beginning = False
        """A transaction is about to be begun: the connection stays in hand until then."""
        self._conductor = Conductor(self)
        super().__init__(*args, **kwargs)

    @property
    def needs_rollback(self) -> bool:
        """Django's flag; but no block ends as if all were well whose acknowledged work is lost.

        Its author has caught the loss in it, or a library has (``DatabaseCache`` does), or another
        error has taken its place: Django would roll back, and raise nothing.
        """
        own = self.__dict__  # where stock Django has it
        if own["needs_rollback"] and self._work_lost:
            caller = sys._getframe(1)  # who asks as he leaves a block leaves it without an error
            if leaves_a_block(caller) and self._loses_by_it(savepoint_of(caller)):
                own["needs_rollback"] = False  # its end is tried, and says why it cannot be
        return bool(own["needs_rollback"])

    @needs_rollback.setter
    def needs_rollback(self, value: bool) -> None:
        self.__dict__["needs_rollback"] = value

    def set_rollback(self, rollback: bool) -> None:
        """Set or unset Django's flag; whoever wants that nothing is stored has lost nothing."""
        super().set_rollback(rollback)
        if rollback:
            self._given_up |= {self._block}

    def _loses_by_it(self, sid: str | None) -> bool:
        """Whether the block with this savepoint has written what is lost, or has hooks."""
        if self.in_atomic_block and sid is None:
            return False  # it is a part of the one around it
        block = sid if self.in_atomic_block and sid is not None else ""
        if block in self._given_up:
            return False
        around = {*self.savepoint_ids, None}
        hooks = (set(sids) - around for sids, *_ in self.run_on_commit)  # since the loss
        return block in self._lost_writes or ({block} if block else set()) in hooks

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """Enable or disable autocommit.

        Enabling it after a transaction needs no new connection where its own is gone: the block's
        outcome is decided, and a failure to connect now must not take its place.
        """
        # The short way to begin goes round a hook: not where somebody has overridden it.
        others = "_set_autocommit" in self._overridden or "_set_autocommit" in self._covered
        begins = force_begin_transaction_with_broken_autocommit and not others
        open_before = self._hold is not None and self._hold.session.in_transaction
        going_on = autocommit and not (self.autocommit or self._closed)
        try:
            self._winding_up = going_on and self._is_decided()
            if autocommit:
                self._of_a_block = False
            self._beginning = begins and not autocommit
            super().set_autocommit(autocommit, begins)
            # Only ``atomic`` asks for that.
            self._of_a_block = force_begin_transaction_with_broken_autocommit
        except BaseException as error:
            if isinstance(error, Error):
                self._rest_unbegun()
            elif self.autocommit and not open_before:
                self._abandon_beginning()
            raise
        finally:
            self._winding_up = self._beginning = False

    def _is_decided(self) -> bool:
        """Whether nothing is open of which somebody could still ask what becomes of it."""
        hold = self._hold
        if hold is None or hold.resting:
            return True
        if hold.pid == os.getpid():
            self._notice_unseen(hold)
        return hold.session.work == 0 or not hold.session.in_transaction

    def wind_up(self) -> None:
        """Let go of a connection that has died after its transaction; none is opened."""
        hold = self._hold
        if hold is None:
            self._refuse_lost_work()
        elif hold.pid != os.getpid():
            self._hold = None  # the parent's
        elif not hold.resting:
            if hold.torn:
                self._refuse_amid(hold)
            if hold.torn or not (hold.connection.busy or hold.connection.alive()):
                self._bury(hold, Reason.DEAD)
            else:
                self._rest(hold)

    def _rest_unbegun(self) -> None:
        """Let what stayed in hand for a transaction rest, where that was not begun after all."""
        hold = self._hold
        if self._beginning and hold is not None and hold.pid == os.getpid():
            self._rest(hold)

    def _abandon_beginning(self) -> None:
        """Something broke in while a transaction was begun: nobody knows that he is inside one."""
        hold = self._hold
        if hold is None or hold.resting:
            return
        self._notice_unseen(hold)
        if hold.session.in_transaction:
            self._drop(hold, Reason.INTERRUPTED)
            if self._missed is not None:
                self._missed = self._missed & ~OF_TRANSACTIONS or None
        else:
            self._rest_unbegun()

    def _accept(self, visible: Any) -> Hold:
        """Hold it with no transaction open: what a subclass has begun is stored, as with stock."""
        hold = super()._accept(visible)
        if hold.connection.commands != hold.seen:
            self._notice_unseen(hold)
            if hold.session.in_transaction:
                self._switch_autocommit(hold, enabled=False)
                self._switch_autocommit(hold, enabled=True)
        return hold

    def _conduct(self, step: Callable[..., Any], *args: Any) -> Any:
        """Run Django's own method: it gets the `Conductor` for its connection."""
        try:
            self._conducting = True
            return step(*args)
        finally:
            self._conducting = False

    def _start_transaction_under_autocommit(self) -> None:
        """Enter ``atomic`` in one round trip; Django calls this hook where a backend has it.

        Stock sends ``SET autocommit = 0`` and has to undo it afterwards; START TRANSACTION ends
        by itself. But it would commit what is open already, and release LOCK TABLES, so such a
        session goes the stock way.
        """
        with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
            hold = self.ready(_BEGIN_BY_US)
            session = hold.connection.session
            begin: Callable[[Hold], None]
            if (
                session.state is not State.AUTOCOMMIT
                or session.lost_with_it
                or session.unseen
                or hold.connection.facts.chains
            ):
                hold.shows_no_id()
                begin = partial(self._switch_autocommit, enabled=False)
            else:
                begin = self._begin
            try:
                begin(hold)
            except BaseException as error:
                again = self._recover_from_begin(hold, error)
                if again is None:
                    raise
                self._begin_again(again, self._begin)

    def _set_autocommit(self, autocommit: bool) -> None:
        try:
            self._conduct(super()._set_autocommit, autocommit)
        finally:
            self._winding_up = False

    def run_and_clear_commit_hooks(self) -> None:
        """Run what ``on_commit`` was given: a piece of work of its own, which may connect anew."""
        self._winding_up = False
        super().run_and_clear_commit_hooks()

    def send_autocommit(self, enabled: bool) -> None:
        """Set the session's autocommit mode, on another connection if the held one is dead."""
        if enabled:
            self._enable_autocommit()
            return
        hold = self.ready(_BEGIN_BY_US)
        hold.shows_no_id()
        try:
            self._switch_autocommit(hold, False)
        except BaseException as error:
            again = self._recover_from_begin(hold, error)
            if again is None:
                raise
            self._begin_again(again, partial(self._switch_autocommit, enabled=False))

    def _enable_autocommit(self) -> None:
        """Go back to autocommit; losing the connection at this point loses nothing else.

        Enabling commits what is open: where that is something, a COMMIT goes first, so that its
        outcome is told like any other's. What START TRANSACTION began is over by now, unless
        something broke in before its end was sent: nobody was told that it is stored.
        """
        hold = self._hold
        if hold is not None and not hold.resting:
            self._notice_unseen(hold)
            if hold.session.state in (State.BEGUN, State.DOUBTFUL):
                self.send_rollback()
                hold = self._hold
            elif hold.session.state is State.OFF and hold.session.work:
                self.send_commit()
                hold = self._hold
        if hold is None:
            return
        if hold.session.state is State.OFF:
            try:
                self._switch_autocommit(hold, True)
            except BaseException as error:
                if not self._is_loss(hold, error):
                    if hold.connection.busy:
                        # What was open is committed by now, so nothing is lost with it.
                        self._drop(hold, Reason.INTERRUPTED)
                    raise
                self._bury(hold, Reason.LOST, error)
                return
        self._rest(hold)

    def _begin(self, hold: Hold) -> None:
        self._in_step = True
        try:
            hold.connection.exchange(b"START TRANSACTION")
            hold.session.move(Move.BEGIN)
            hold.shows_no_id()
            hold.status = hold.connection.status()
            hold.seen = hold.connection.commands
        finally:
            self._in_step = False
            self._end_turn()

    def _switch_autocommit(self, hold: Hold, enabled: bool) -> None:
        self._in_step = True
        try:
            hold.visible.autocommit(enabled)
            hold.session.move(Move.SWITCH_ON if enabled else Move.SWITCH_OFF)
            hold.status = hold.connection.status()
            hold.seen = hold.connection.commands
        finally:
            self._in_step = False
            self._end_turn()

    def _recover_from_begin(self, hold: Hold, error: BaseException) -> Hold | None:
        """Beginning a transaction leaves nothing behind, so it may always be done again."""
        if not self._is_loss(hold, error):
            if hold.torn:
                self._drop(hold, Reason.INTERRUPTED)
                return None
            return self._after_refusal(hold, _BEGIN_BY_US, error)
        self._notice_changes(hold)
        decision = Decision(Label.NOT_EXECUTED, repeat=not hold.session.lost_with_it)
        facts = self._facts(hold, _BEGIN, decision, Phase.IN_FLIGHT, error)
        if not decision.repeat:
            raise self._lose(hold, facts, Reason.LOST) from error
        return self._swap(hold, facts, Reason.LOST)

    def _begin_again(self, hold: Hold, begin: Callable[[Hold], None]) -> None:
        """Begin on another connection; raises ``ConnectionLost`` when that is lost as well."""
        try:
            begin(hold)
        except self.Database.Error as error:
            if not self._is_loss(hold, error):
                raise
            decision = Decision(Label.NOT_EXECUTED, repeat=False)
            facts = self._facts(hold, _BEGIN, decision, Phase.IN_FLIGHT, error)
            raise self._lose(hold, facts, Reason.LOST) from error

    def _use_stock_transaction(self, hold: Hold, statement: Statement) -> Hold:
        """Inside what START TRANSACTION began, turn autocommit off as stock has it.

        That commits nothing. A transaction that looked at no table is ended first: stock's has not
        begun, and SET TRANSACTION, XA START and the like must come before it.
        """
        try:
            session = hold.session
            before, savepoints = session.settings_before, session.savepoints
            if not session.active:
                hold.connection.rollback()
                session.move(Move.END)
            self._switch_autocommit(hold, False)
            session.settings_before = before  # the author's block goes on
            if not session.active:
                for sql in savepoints:
                    hold.connection.run(sql)
                    session.standing.cross(sql)
                session.savepoints, session.work = savepoints, len(savepoints)
                hold.seen = hold.connection.commands
        except BaseException as error:
            if not self._is_loss(hold, error):
                if hold.torn:
                    self._break_off(hold, error)
                raise
            if savepoints:
                session.move(Move.SWITCH_OFF)
                session.work = len(savepoints)
            decision = self._decide(hold, statement, sent=False)
            facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
            if not decision.repeat:
                raise self._lose(hold, facts, Reason.LOST) from error
            hold.session.move(Move.SWITCH_OFF)
            return self._swap(hold, facts, Reason.LOST)
        return hold

    def _commit(self) -> None:
        self._refuse_lost_work()
        missed = self._missed
        if missed is not None and missed & _BEGUN_IN_SQL:
            self._meet(_COMMIT, missed)
        self._conduct(super()._commit)

    def send_commit(self) -> None:
        """Commit what is open, and say truly what became of it."""
        hold = self._hold
        if hold is None or hold.resting:
            # In autocommit mode there is nothing to commit.
            return
        self._notice_unseen(hold)
        if not self._takes_commands(hold):
            self._commit_not_sent(hold, None)
            return
        try:
            self._in_step = True
            hold.visible.commit()
        except BaseException as error:
            self._in_step = False
            self._commit_failed(hold, error)
        else:
            self._ended(hold)
        finally:
            self._in_step = False

    def _takes_commands(self, hold: Hold) -> bool:
        """Whether COMMIT and ROLLBACK can be left to the driver.

        So they are while somebody still reads a result: PyMySQL reads the rest of it first, and
        mysqlclient refuses without sending anything.
        """
        if hold.connection.busy and hold.pid == os.getpid():
            return not hold.torn
        return self._lives(hold)

    def _ended(self, hold: Hold) -> None:
        """COMMIT or ROLLBACK was acknowledged."""
        hold.session.move(Move.END)
        self._observe(hold)
        hold.shows_no_id()
        hold.seen = hold.connection.commands

    def _commit_failed(self, hold: Hold, error: BaseException) -> None:
        session = hold.session
        if not self._is_loss(hold, error):
            if hold.connection.busy and not hold.torn:
                pass  # refused by the driver: a result had not been read to its end
            elif hold.connection.busy:
                # Something of the application's broke in while the answer was on its way.
                self._tell_interruption(hold, error, Label.COMMIT_UNKNOWN)
                self._drop(hold, Reason.INTERRUPTED)
                self._miss(hold.session)  # Django closes nothing for what is no database error
                error.add_note("COMMIT had been sent; whether it happened is not known.")
            else:
                self._commit_refused(hold, error)
                session.failed(_COMMIT)
                hold.seen = hold.connection.commands
            raise error
        if self._never_left(hold, error) or not (session.wrote or session.lost_with_it):
            self._commit_not_sent(hold, error)
            return
        decision = Decision(Label.COMMIT_UNKNOWN, repeat=False)
        facts = self._facts(hold, _COMMIT, decision, Phase.COMMIT, error)
        raise self._lose(hold, facts, Reason.LOST, CommitOutcomeUnknown) from error

    def _commit_refused(self, hold: Hold, error: BaseException) -> None:
        """COMMIT was answered with an error: raise another where that does not tell the truth.

        A node that loses the others while they have the transaction calls it failed (1180; 3100 and
        3101 in Group Replication), and they may store it all the same.
        """
        left = self._leave_if_demoted(hold, _COMMIT, error)
        if left is None and not self._ended_refusing(hold, error):
            return
        if verdict(error.args[0]).ran is Ran.NO:
            return
        decision = Decision(Label.COMMIT_UNKNOWN, repeat=False)
        facts = self._facts(hold, _COMMIT, decision, Phase.COMMIT, error)
        if left is not None:
            facts = replace(facts, refused_for=left[1].refused_for)
        raise self._lose(hold, facts, Reason.LOST, CommitOutcomeUnknown) from error

    def _commit_not_sent(self, hold: Hold, error: BaseException | None) -> None:
        """COMMIT did not reach the server: a transaction that only read lost nothing by it."""
        session = hold.session
        if not (session.wrote or session.lost_with_it):
            self._bury(hold, Reason.DEAD, error)
            return
        if hold.pid != os.getpid():
            self._leave_to_parent(hold, _COMMIT)  # whose transaction it is, and goes on
        label = Label.UNKNOWN_EFFECT if session.partly_stored else Label.ROLLED_BACK
        decision = Decision(label, repeat=False)
        phase = Phase.BEFORE if error is None else Phase.COMMIT
        facts = self._facts(hold, _COMMIT, decision, phase, error)
        lost = self._lose(hold, facts, Reason.DEAD)
        try:
            raise lost from error or lost.__cause__
        finally:
            del lost, error  # no circle with the traceback: it would keep the lease alive

    def _rollback(self) -> None:
        self._work_lost = False
        if self._missed is not None:
            self._missed = self._missed & ~Keeps.TRANSACTION or None
        self._conduct(super()._rollback)

    def send_rollback(self) -> None:
        """Roll back what is open; a server that lost the session has done so by itself."""
        hold = self._hold
        if hold is None or hold.resting:
            return
        self._notice_unseen(hold)
        if not self._takes_commands(hold):
            self._bury(hold, Reason.DEAD)
            return
        try:
            self._in_step = True
            hold.visible.rollback()
        except self.Database.NotSupportedError:
            pass
        except BaseException as error:
            self._in_step = False
            if self._is_loss(hold, error):
                self._bury(hold, Reason.LOST, error)
                return
            if hold.torn:
                self._drop(hold, Reason.INTERRUPTED)
                self._miss(hold.session)
            raise
        self._ended(hold)
        self._in_step = False


class Conductor:
    """What Django's own methods of a wrapper work on in the place of the driver's connection.

    So they run as Django wrote them, or as somebody has replaced them, and what they ask of the
    connection is done with care.
    """

    def __init__(self, wrapper: Transactions) -> None:
        # No circle: from Django 6 on a wrapper leaves nothing to garbage collection.
        self._wrapper = cast(Transactions, weakref.proxy(wrapper))

    def __getattr__(self, name: str) -> Any:
        hold = self._wrapper._hold
        return getattr(None if hold is None else hold.visible, name)

    def _led(self) -> Transactions:
        """Return the wrapper, which shows others the driver's connection again."""
        self._wrapper._conducting = False
        return self._wrapper

    def autocommit(self, enabled: bool) -> None:
        """Set autocommit."""
        self._led().send_autocommit(enabled)

    def commit(self) -> None:
        """Commit."""
        self._led().send_commit()

    def rollback(self) -> None:
        """Roll back."""
        self._led().send_rollback()

    def close(self) -> None:
        """Give the connection back."""
        wrapper = self._led()
        if wrapper._hold is not None:
            wrapper._let_go(wrapper._hold)
