"""When a connection dies in a wrapper's hands: another takes its place, or an error says why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from django_lifeline.backends.answers import Answers
from django_lifeline.backends.assembly import targets
from django_lifeline.backends.blocks import ending_block
from django_lifeline.backends.errors import attach
from django_lifeline.backends.evidence import (
    diagnose_raised,
    facts_of,
    patience_after,
    successor_of,
    torn,
)
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.lending import SILENT
from django_lifeline.backends.notices import Lost, Restored, publish
from django_lifeline.core.classification import (
    CR_SERVER_LOST,
    LAST_WORDS,
    Connection,
    Ran,
    verdict,
)
from django_lifeline.core.effects import Keeps
from django_lifeline.core.events import Reason
from django_lifeline.core.retry import Decision, Label, Loss, decide
from django_lifeline.core.session import Session, Setting, State, met
from django_lifeline.core.statement import Statement, statement_of
from django_lifeline.diagnosis.facts import LossFacts, Phase
from django_lifeline.diagnosis.loss import diagnose
from django_lifeline.diagnosis.model import Diagnosis, Done
from django_lifeline.exceptions import ConnectionLost

_getpid = os.getpid
_PLAIN = statement_of("SELECT 1")


class Losses(Answers):
    """The part of a wrapper that goes on after a loss, or tells of it."""

    def _decide(self, hold: Hold, statement: Statement, *, sent: bool) -> Decision:
        self._notice_changes(hold)
        session = hold.session
        loss = Loss(
            sent=sent,
            in_transaction=session.in_transaction,
            first_in_transaction=session.first_in_transaction,
            state_lost=bool(session.lost_with_it) or session.unseen,
            partly_stored=session.partly_stored,
        )
        return decide(statement, loss, retry_reads=self._find_target().lifeline.retry_reads)

    def _facts(
        self,
        hold: Hold,
        statement: Statement,
        decision: Decision,
        phase: Phase,
        error: BaseException | None,
    ) -> LossFacts:
        return facts_of(self._find_target(), hold, statement, decision.label, phase, error)

    def _is_loss(self, hold: Hold, error: BaseException) -> bool:
        if not isinstance(error, self.Database.Error):
            return False
        code = error.args[0] if error.args else None
        connection = hold.connection
        if code in LAST_WORDS and not connection.lost:
            return False  # somebody has made the server say so: the session has answered since
        return verdict(code).connection is Connection.DEAD or bool(connection.closed)

    def _never_left(self, hold: Hold, error: BaseException) -> bool:
        """Whether it is proved that the server cannot have run what was sent last."""
        code = error.args[0] if error.args else None
        if verdict(code).ran is Ran.NO:
            return True
        unsent = hold.connection.channel.unsent_bytes()
        return unsent is not None and unsent > 0

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
        if hold.returned:
            self._keepsake = None
        else:
            self._keep_for_later(hold)
        return self._shows_what_it_showed(self._take())

    def _shows_what_it_showed(self, new: Hold) -> Hold:
        """Let cursors on another connection show what the lost one's would have gone on to show."""
        kept = self._keepsake
        if kept is not None:
            new.begins_anew(kept.shown_id, max(kept.row_count or 0, 0))
        return new

    def _distrust(self, facts: LossFacts) -> None:
        """After a silence neither repeat on, nor ask about it, what has been silent for as long."""
        if not facts.before_sending and facts.elapsed >= SILENT:
            self._find_target().pool.end_unheard(facts.elapsed)

    def _swap(
        self,
        hold: Hold,
        facts: LossFacts,
        reason: Reason,
        error: BaseException | None = None,
    ) -> Hold:
        """Go on with another connection where the lost one stood."""
        self._distrust(facts)
        patience = patience_after(facts)
        if patience is not None:
            facts = self._asked(hold, facts, patience, error)
        new = self._stand_in(hold, reason, self._take)
        facts = replace(
            facts,
            done=Done.REPLACED if facts.before_sending else Done.REPEATED,
            successor=successor_of(hold.connection, new.connection),
        )
        # Whoever listens may use the database, and wait for others who listen: hold no slot.
        self._rest(new)
        publish(Restored(self._find_target().name, self.alias, diagnose(facts)))
        return self._shows_what_it_showed(self._held(new))

    def _asked(
        self, hold: Hold, facts: LossFacts, seconds: float, error: BaseException | None
    ) -> LossFacts:
        """Go on only where the server answers in time, and is not at work on the statement yet.

        Run once more beside itself, a read that is slower than ``read_timeout`` would take the
        server twice the work, and its caller twice the wait. In a black hole another connection
        would take as long as connecting may. Then it is as with stock Django.
        """
        # One for who asks: the place of the lost one is free once it is told.
        told = self._find_target().ask_within(facts.server_thread_id, seconds, places=1)
        if told is not None:
            facts = replace(facts, server=told[0])
            idle = told[0].lost_session and not facts.still_runs
            if idle or facts.label is not Label.REPEATABLE_READ:
                return facts
        raise self._lose(hold, facts, Reason.LOST) from error

    def _stand_in(self, hold: Hold, reason: Reason, take: Callable[[], Hold]) -> Hold:
        """Take another connection and make it what the one was that is ended."""
        hold.connection.loss_told = True
        self._keep_for_later(hold, lost=True)
        missed = self._missed
        self._drop(hold, reason)
        self._missed = missed  # what it had is made again
        return self._stand_in_for(hold.session, take)

    def _stand_in_for(self, was: Session, take: Callable[[], Hold]) -> Hold:
        """Return a connection whose transaction stands where that of the session before stood."""
        try:
            new = take()
            if was.state in (State.BEGUN, State.DOUBTFUL):
                self._begin_again(new, self._begin)
            elif was.state is State.OFF and new.session.state is not State.OFF:
                self._begin_again(new, partial(self._switch_autocommit, enabled=False))
        except BaseException as error:
            if was.in_transaction:
                self._mark_transaction_lost(was, error)
                if self._hold is not None:  # it has not begun: nothing may run on it meanwhile
                    self._drop(self._hold, Reason.DIRTY)
                self._owed = was.settings
            raise
        return new

    def _lose(
        self,
        hold: Hold,
        facts: LossFacts,
        reason: Reason,
        kind: type[ConnectionLost] = ConnectionLost,
    ) -> ConnectionLost:
        """End the lost connection and return the error that says so.

        Its cause is what the driver would have said; if it has said something, raise it from that.
        """
        if hold.session.in_transaction:
            self._mark_transaction_lost(hold.session, None)
        mine = self._hold is hold or facts.forked
        if self._hold is hold:
            hold.connection.loss_told = True
            self._drop(hold, reason)
        elif facts.forked:  # it is the parent's connection, and stays
            self._note_what_went(hold.session, lost=True)
        if mine and self._missed is not None and facts.ends_transaction:
            self._missed = self._missed & ~Keeps.TRANSACTION or None  # it is over
        self._distrust(facts)
        target = self._find_target()
        diagnosis = diagnose_raised(target, facts, hold.connection)
        if mine:
            self._missed_for = diagnosis
        error = kind(facts.code or CR_SERVER_LOST, f"The connection was lost: {diagnosis}")
        error.__cause__ = self._of_the_driver(error.args[0])
        attach(error, diagnosis)
        self.errors_occurred = True  # as Django's own does, by which people know to close it
        if hold.session.in_transaction:
            self.rollback_exc = error
        publish(Lost(target.name, self.alias, diagnosis))
        return error

    def _leave_to_parent(self, hold: Hold, statement: Statement) -> Hold:
        """In a forked child: what was held is the parent's, and so is its transaction."""
        targets.notice_fork()
        self._hold = self._keepsake = None
        session = hold.session
        # What rests was clean when it came to rest, and may be another thread's since.
        if not hold.resting and (session.in_transaction or session.lost_with_it):
            facts = LossFacts(
                label=Label.NOT_EXECUTED,
                phase=Phase.BEFORE,
                statement=statement.keyword,
                ends_transaction=statement.ends_transaction,
                state_lost=session.lost_with_it,
                in_transaction=session.in_transaction,
                server_thread_id=hold.connection.session_number,
                pid=_getpid(),
                forked=True,
            )
            raise self._lose(hold, facts, Reason.CLOSED)
        self._owed = () if hold.resting else session.settings
        return self._take()

    def _mark_transaction_lost(self, was: Session, error: BaseException | None) -> None:
        """Refuse statements and COMMIT until the transaction's author rolls back.

        Django's ``closed_in_transaction`` would end the block in silence where the error was
        swallowed inside it, as if everything had been stored. What its author set in it he cannot
        set back, and will set again when he runs it again.
        """
        set_in_it = was.lost()
        self._lost_writes = self._writes_by_savepoint(was)
        self._given_up = frozenset({self._block} if self.needs_rollback else ())
        self.run_on_commit = []
        self.rollback_exc = error
        self._work_lost = self.in_atomic_block or not self.autocommit
        if set_in_it and not (self.in_atomic_block or self._of_a_block):
            self._give_up(set_in_it)

    @property
    def _block(self) -> str:
        """The savepoint of the innermost block that is open and has one, "" for the outermost."""
        return next((sid for sid in reversed(self.savepoint_ids) if sid is not None), "")

    def _writes_by_savepoint(self, session: Session) -> frozenset[str]:
        """After which savepoints of Django's blocks, "" for before them, something is lost with it.

        What was written there stands, as far as its author knows, or hooks are to run once it does.
        """
        blocks = [sid for sid in (*self.savepoint_ids, ending_block()) if sid is not None]
        hooked = (
            next((sid for sid in reversed(blocks) if sid in sids), "")
            for sids, *_ in self.run_on_commit
        )
        return frozenset((*session.standing.since(blocks), *hooked))

    def _give_up(self, settings: Iterable[Setting]) -> None:
        """Let nothing run without these, which are not made again, before they are set anew."""
        self._miss_also(Keeps.FORGONE)
        self._forgone_names = self._forgone_names.union(*(kept.names for kept in settings))

    def _meet(self, statement: Statement, missed: Keeps) -> None:
        """Raise ``ConnectionLost`` where a piece of work would go on without what it has lost.

        As with stock Django, whose connection is dead until it is closed; but whoever takes up
        anew what was lost may go on, once that is answered.
        """
        if self._closed and not self.in_atomic_block:
            self._missed = None
            return
        may_run, left = met(missed, statement, self._forgone_names, self._hidden_texts)
        if may_run:
            self._taking = left
            return
        self._missed = left or None
        self._unmade = True  # what it was to set is as it was
        known = self._missed_for or diagnose(
            LossFacts(label=Label.NOT_EXECUTED, phase=Phase.BEFORE)
        )
        advice = "The statement did not run. Set up what its session held, or call close()."
        diagnosis = replace(known, label=Label.NOT_EXECUTED, advice=advice)
        raise self._told_again("What the session held went with its connection", diagnosis)

    def _take_up(self, statement: Statement) -> None:
        """A statement was answered that takes up some of what is missed."""
        self._missed, self._taking = self._taking or None, None
        self._forgone_names = self._forgone_names.difference(statement.sets)
        self._hidden_texts = self._hidden_texts.difference((statement.text,))

    def _told_again(
        self, what: str, diagnosis: Diagnosis, cause: BaseException | None = None, how: str = ""
    ) -> ConnectionLost:
        """Return the error for a statement that is refused after a loss that was told before."""
        error = ConnectionLost(CR_SERVER_LOST, f"{what} before this point: {diagnosis}{how}")
        attach(error, diagnosis)
        self.errors_occurred = True
        error.__cause__ = self._of_the_driver(CR_SERVER_LOST, cause)
        return error

    @property
    def _refuses(self) -> bool:
        """Whether what comes next is refused, unless it makes good what was lost."""
        anew = self._closed and not self.in_atomic_block
        return (self._work_lost or self._missed is not None) and not anew

    def _forgo(self, statement: Statement | None = None) -> None:
        """Do not make again what *statement* was to set to another value, and has not.

        Its author was told, and may not come back to it: the next session is to have what every
        session begins with, as with stock Django. None: what he was going to do is not known.
        Nothing is forgone because it could not be made again: no statement runs on what is made by
        half. And none runs without what is forgone, before it is set anew or the connection closed.
        """
        unmade, self._unmade = self._unmade, False
        if unmade or statement is not None and statement.keyword not in ("SET", "USE"):
            return
        self._forgone = self._owed if statement is None else ()
        names = statement.sets if statement else ()
        keeps = names and frozenset(names).isdisjoint
        given_up = [kept for kept in self._owed if not (keeps and keeps(kept.names))]
        self._owed = tuple(kept for kept in self._owed if kept not in given_up)
        # Of what a block has lost with its session stock Django knows nothing any more after it.
        if given_up and not (self._work_lost or self.in_atomic_block or self._owed_by_a_block):
            self._give_up(given_up)

    def _refuse_lost_work(self) -> None:
        """Raise ``ConnectionLost`` once more in a transaction that is lost already."""
        if not self._work_lost:
            return
        if self._closed and not self.in_atomic_block:
            # Its author has closed the connection, and goes on with a new one.
            self._work_lost = False
            return
        cause = self.rollback_exc
        diagnosis = getattr(cause, "diagnosis", None) or diagnose(
            LossFacts(
                label=Label.ROLLED_BACK,
                phase=Phase.IN_FLIGHT,
                interrupted_by="" if cause is None else type(cause).__name__,
            )
        )
        what = "The transaction was lost with its connection"
        how = " Leave the atomic block, or call rollback(), before going on."
        error = self._told_again(what, diagnosis, cause, how)
        try:
            raise error
        finally:
            # A circle with its traceback would keep what broke in, and with that a lease, alive.
            del error, cause

    def _of_the_driver(self, code: object, cause: BaseException | None = None) -> Exception:
        """Return the driver's error for a command that was not sent: the connection is gone.

        Django's errors have the driver's as their cause, where people read what it said.
        """
        error: Exception = self.Database.OperationalError(code, "The connection is gone: not sent")
        error.__cause__ = cause
        return error

    def lost_closing(self, hold: Hold, error: BaseException) -> None:
        """What was left of an answer could not be read when its cursor was closed.

        The cursor's owner has what he wanted. Who runs the next statement hears of the loss, if
        anything was lost that he counts on.
        """
        if hold.connection.busy or self._is_loss(hold, error):
            hold.connection.hang_up()
        else:
            hold.session.failed(statement_of("CALL a_procedure()"))

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

    def _break_off(self, hold: Hold, error: BaseException) -> None:
        """Something broke into an exchange: the rest of its answer must reach nobody."""
        if hold.session.in_transaction:
            self._mark_transaction_lost(hold.session, error)
        diagnosis = self._tell_interruption(hold, error)
        self._drop(hold, Reason.INTERRUPTED)
        self._missed_for = diagnosis

    def _tell_interruption(
        self, hold: Hold, error: BaseException, label: Label = Label.UNKNOWN_EFFECT
    ) -> Diagnosis:
        """Say on *error*, and to those who listen, that it cost the connection."""
        session = hold.session
        if session.in_transaction and not session.partly_stored and label is Label.UNKNOWN_EFFECT:
            label = Label.ROLLED_BACK
        facts = facts_of(self._find_target(), hold, _PLAIN, label, Phase.IN_FLIGHT, error)
        foreign = not isinstance(error, self.Database.Error)
        facts = replace(facts, statement="", interrupted_by=type(error).__name__ if foreign else "")
        hold.connection.loss_told = True
        diagnosis = diagnose(facts)
        attach(error, diagnosis)
        publish(Lost(self._find_target().name, self.alias, diagnosis))
        return diagnosis

    def _bury(self, hold: Hold, reason: Reason, error: BaseException | None = None) -> None:
        """End a connection that was lost where nothing was lost with it."""
        phase = Phase.BEFORE if error is None else Phase.IN_FLIGHT
        facts = facts_of(self._find_target(), hold, _PLAIN, Label.NOT_EXECUTED, phase, error)
        facts = replace(facts, forked=hold.pid != _getpid())
        if error is None and hold.connection.busy and not facts.forked:
            facts = torn(facts, hold.connection)
        hold.connection.loss_told = True
        self._drop(hold, reason)
        self._owed_by_a_block = False  # it ended well, where stock Django's block fails
        found = diagnose(replace(facts, statement="", done=Done.DISCARDED))
        self._missed_for = self._missed_for or found
        publish(Restored(self._find_target().name, self.alias, found))
