"""Borrowing a connection for a wrapper, and what to do when it dies in the wrapper's hands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from django.db import ProgrammingError
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.mysql import base as stock
from django.db.backends.signals import connection_created
from django.utils.functional import cached_property

from django_lifeline.backends.assembly import (
    Known,
    Target,
    clock,
    known_target,
    private_target,
    targets,
)
from django_lifeline.backends.errors import attach
from django_lifeline.backends.evidence import (
    diagnose_raised,
    facts_of,
    successor_of,
    tell_found_dead,
    torn,
)
from django_lifeline.backends.failover import Search, ask_role
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.hooks import Shortcut, Watchful
from django_lifeline.backends.keepsake import Keepsake
from django_lifeline.backends.notices import Lost, Restored, publish
from django_lifeline.backends.server import ServerFacts
from django_lifeline.core.classification import CR_SERVER_LOST, Connection, Ran, verdict
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.effects import Asks
from django_lifeline.core.events import Reason
from django_lifeline.core.pool import DirectPool, Pool
from django_lifeline.core.pool.owners import Owner
from django_lifeline.core.retry import Decision, Label, Loss, decide
from django_lifeline.core.session import Session, Setting, State
from django_lifeline.core.statement import Statement, statement_of
from django_lifeline.core.topology import RAISE_QUESTIONS, Then, after_refusal, goes_on
from django_lifeline.diagnosis.facts import LossFacts, Phase
from django_lifeline.diagnosis.loss import diagnose
from django_lifeline.diagnosis.model import Done
from django_lifeline.exceptions import ConnectionLost, PacketTooLarge

_getpid = os.getpid
_monotonic = clock.monotonic
_PLAIN = statement_of("SELECT 1")
_OPTIONS_OF_OURS = ("pool", "lifeline")
_BEGUN_ANEW = (
    "atomic_blocks",
    "autocommit",
    "close_at",
    "closed_in_transaction",
    "errors_occurred",
    "health_check_done",
    "in_atomic_block",
    "needs_rollback",
    "rollback_exc",
    "run_commit_hooks_on_set_autocommit_on",
    "run_on_commit",
    "savepoint_ids",
    "_keepsake",
    "_owed",
    "_work_lost",
)
"""What connecting, or closing before it, sets back."""
_AUTOCOMMIT, _BEGUN, _DOUBTFUL = State.AUTOCOMMIT, State.BEGUN, State.DOUBTFUL
_NOTHING = Asks.NOTHING
_FORGETS = "DO (SELECT 1 FROM (SELECT 1) AS one)"
"""Takes away the warnings, errors and numbers of the statement before. MariaDB keeps the former
until a statement uses a table, or complains itself."""
_INSERTING = frozenset({"INSERT", "REPLACE"})
_WRITING = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})


class Borrowing(stock.DatabaseWrapper, metaclass=Watchful):
    """The part of a wrapper that holds a lease.

    ``_hold`` is what the wrapper has now, None when it has nothing. Only the thread that owns
    the wrapper touches it, as Django demands of wrappers anyway.
    """

    _shortcuts: Mapping[str, Shortcut] = {}

    # Django's own, without types there.
    autocommit: bool
    closed_in_transaction: bool
    health_check_done: bool
    run_on_commit: list[Any]
    run_commit_hooks_on_set_autocommit_on: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._hold: Hold | None = None
        self._lent: Hold | None = None
        """What `get_new_connection` has got last; Django makes it the wrapper's."""
        self._gone: Hold | None = None
        """What was held until it was closed or lost in a block, whose end Django waits for."""
        self._target: Target | None = None
        self._target_name: object = None
        self._known: Known | None = None
        """What `_target` was found for, where others share it."""
        self._connecting = False
        """Whether the session in hand is being set up."""
        self._closed = True
        """Whether the next connection begins anew; otherwise it takes a lost one's place."""
        self._owed: tuple[Setting, ...] = ()
        """What was set in a session that is lost, and is to be set in the next one."""
        self._keepsake: Keepsake | None = None
        """What may be asked about the last statement, if its connection was recalled."""
        self._wrote_on: ServerFacts | None = None
        """The server on which a write was seen to go through."""
        self._learned: ServerFacts | None = None
        """What Django's own knowledge of the server was taken from."""
        self._work_lost = False
        """A transaction was lost with its connection and not yet rolled back by its author."""
        self._opens_for: Target | None = None
        """The target whose pool has made this wrapper to open a connection with."""
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

    @property
    def server_facts(self) -> ServerFacts:
        """What the server says of itself on the connection in use, or said last."""
        if self._hold is None and self._find_target().facts is None:
            with self.temporary_connection():
                pass
        facts = self._find_target().facts if self._hold is None else self._hold.connection.facts
        assert facts is not None
        return facts

    def params_of_settings(self) -> dict[str, Any]:
        """Return the driver's parameters as the settings give them, with no password or token."""
        params: dict[str, Any] = stock.DatabaseWrapper.get_connection_params(self)
        without = ("password", "passwd", *_OPTIONS_OF_OURS)
        return {name: params[name] for name in params if name not in without}

    # Borrowing and giving back

    def _find_target(self) -> Target:
        name = self.settings_dict["NAME"]
        target = self._target
        if target is None or name is not self._target_name:
            if self.alias == NO_DB_ALIAS:
                target = private_target(self)
            else:
                self._known = known_target(self)
                target = self._known.target
            self._target, self._target_name = target, name
        return target

    def get_new_connection(self, conn_params: Mapping[str, Any]) -> Any:
        """Lend a connection; *conn_params* are for the case that the pool has to open one.

        Raises the pool's errors, and the driver's.
        """
        params = {name: conn_params[name] for name in conn_params if name not in _OPTIONS_OF_OURS}
        if self._opens_for is not None:
            return self._open(self._opens_for, params).visible
        pid = _getpid()
        if pid != targets.pid:
            targets.notice_fork()
        target = self._find_target()
        targets.pass_by(target)
        try:
            lease = target.pool.lease(connect=partial(self._open, target, params))
        except BaseException:
            # Before the next attempt somebody may put the settings right, as with a new password.
            self._target = self._known = None
            if target.found_dead:
                tell_found_dead(target, self.alias, None)
            raise
        if target.forgotten:
            targets.remember(target)
        if lease.fresh:
            target.writer.look_at(lease)
        hold = self._lent = Hold(lease, target.pool, pid, _monotonic())
        connection = hold.connection
        if connection.keepsake is not None:
            self._take_keepsake(hold)
        if target.found_dead:
            tell_found_dead(target, self.alias, connection)
        return connection.visible

    def _open(self, target: Target, params: Mapping[str, Any]) -> DriverConnection:
        """Open a connection with the credentials of this moment, within the server's budget."""
        wanted = None
        if target.budget is not None and not self._opens_otherwise():
            wanted = target.like(type(self), params, self.isolation_level)
        return target.opened_within_budget(params, partial(self._open_with, target), wanted)

    def _opens_otherwise(self) -> bool:
        """Whether somebody's own code has a part in opening a connection."""
        name = "get_new_connection"
        return name in self._overridden or name in self._covered

    def _open_with(self, target: Target, params: Mapping[str, Any]) -> DriverConnection:
        """Open a connection; a class that we stand in front of opens it in its own way."""
        level = self.isolation_level
        if "get_new_connection" in self._covered:
            return target.adopt(super().get_new_connection(dict(params)), params, level)
        return target.open(params, level)

    def open_for_the_pool(self, target: Target) -> DriverConnection:
        """Open a connection for *target*'s pool, through whatever subclasses do on the way."""
        self._opens_for = target
        params = self.get_connection_params()
        visible = self.get_new_connection(params)
        return target.adopt(visible, params, self.isolation_level)

    def _accept(self, visible: Any) -> Hold:
        """Hold what `get_new_connection` returned, which a subclass may have changed."""
        lent, self._lent = self._lent, None
        if lent is not None and visible is not lent.visible:
            if self._find_target().driver.unwrap(visible) is lent.connection:
                lent.wrapped_in(visible)
            else:
                lent.pool.give_back(lent.lease)
                lent = None
        hold = self._hold = lent or self._adopt(visible)
        self._gone = None
        if self._thread_sharing_count:
            self._share()
        if hold.connection.facts is not self._learned:
            self._learn(hold.connection.facts)
        return hold

    def _share(self) -> None:
        """Several threads may use this wrapper: no thread's end is its end any more."""
        hold = self._hold
        if hold is not None and isinstance(hold.pool, Pool):
            hold.lease.slot.owner = Owner(self)

    def _adopt(self, visible: Any) -> Hold:
        """Hold a connection that is not the pool's, and is closed when it is given back."""
        target = self._find_target()
        params = self.get_connection_params()
        adopt = partial(target.adopt, visible, params, self.isolation_level)
        pool: DirectPool[DriverConnection] = DirectPool(target.name, adopt, clock=clock)
        return Hold(pool.lease(), pool, _getpid(), _monotonic())

    def _learn(self, facts: ServerFacts) -> None:
        """Forget what Django knows of another server, or of this one before it was changed."""
        if self._learned is not None and self._learned != facts:
            for knows in (self, self.features, self.ops, self.introspection):
                for name in list(knows.__dict__):
                    if isinstance(getattr(type(knows), name, None), cached_property):
                        del knows.__dict__[name]
        self._learned = facts

    def _take(self) -> Hold:
        """Borrow for a wrapper that goes on where it was: its session is made as it was left."""
        try:
            hold = self._held(
                self._connect_again() if self._connects_otherwise else self._connect_in_its_place()
            )
            if not self.autocommit and not self.in_atomic_block:
                self._switch_autocommit(hold, False)
            self._make_again(hold)
        except BaseException as error:
            self._setting_up_failed(error)
            raise
        return hold

    def _setting_up_failed(self, error: BaseException) -> None:
        """Keep a connection on which somebody's receiver or hook has raised, as stock does.

        They are not called again on it. Where it is not yet what the wrapper takes it for it ends:
        nobody shall go on with one that is half set up.
        """
        hold = self._hold
        if hold is None:
            return
        whole = (
            isinstance(error, Exception)
            and not (hold.connection.broken or self.in_atomic_block or self._owed)
            and hold.connection.facts is self._learned
            and self.autocommit is (hold.session.state is not State.OFF)
        )
        if whole:
            self._closed = False
            self._rest(hold)
        else:
            self._drop(hold, Reason.DIRTY)

    @property
    def _connects_otherwise(self) -> bool:
        """Whether a subclass connects in its own way, perhaps asking for a new password."""
        return "connect" in self._overridden or self._covered.by_a_class("connect")

    def _connect_in_its_place(self) -> Hold:
        hold = self._accept(self.get_new_connection(self.get_connection_params()))
        try:
            self._connecting = True
            self.init_connection_state()
            connection_created.send(sender=self.__class__, connection=self)
            hold.begins()
        finally:
            self._connecting = False
        return hold

    def _connect_again(self) -> Hold:
        """Connect, and go on as if nothing had begun anew."""
        kept = {name: getattr(self, name) for name in _BEGUN_ANEW}
        self.run_commit_hooks_on_set_autocommit_on = False
        try:
            self.connect()
        finally:
            for name, value in kept.items():
                setattr(self, name, value)
        return self._hold or self._connect_in_its_place()

    def _held(self, hold: Hold) -> Hold:
        """Return what is held after somebody else's code ran, which may have used it up."""
        return self.ready(_PLAIN) if self._hold is not hold or hold.resting else hold

    def _make_again(self, hold: Hold) -> None:
        """Set what was set in the lost session; raises ``ConnectionLost`` if that fails."""
        owed = self._owed
        try:
            for setting in owed:
                hold.connection.run(setting.sql)
                hold.session.ran(statement_of(setting.sql), setting.sql, None)
        except self.Database.Error as error:
            self._drop(hold, Reason.DIRTY)
            self._owed = owed
            facts = facts_of(self._find_target(), hold, _PLAIN, Label.NOT_EXECUTED, Phase.BEFORE)
            raise self._lose(hold, replace(facts, state_lost="SET"), Reason.DIRTY) from error
        hold.seen = hold.connection.commands
        self._owed = ()

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

    def _give_back(self, hold: Hold) -> None:
        self._hold = None
        self._closed, self._owed, self._keepsake = True, (), None
        # A loss whose author never came to hear of it is not the next piece of work's.
        self._work_lost = self._work_lost and self.in_atomic_block
        hold.returned = True
        if self._target is not None:
            targets.pass_by(self._target)
        self._target = self._known = None  # the next piece of work may be for another one
        # One that rests is clean, and perhaps in other hands by now: give_back() knows.
        if hold.resting or self._is_fit_to_lend(hold):
            hold.pool.give_back(hold.lease)
        else:
            hold.pool.discard(hold.lease, Reason.DIRTY)

    def _is_fit_to_lend(self, hold: Hold) -> bool:
        """Whether the session is as the next borrower expects it; resets it if that helps."""
        if hold.pid != _getpid() or not hold.is_private:
            return False
        self._notice_unseen(hold)
        session = hold.session
        if session.clean:
            return True
        connection = hold.connection
        if not session.can_be_reset or not self._lives(hold) or not connection.reset_session():
            return False
        connection.session = Session()
        return True

    def _notice_unseen(self, hold: Hold) -> None:
        """Take in what was done through the driver's object, if there was anything."""
        connection = hold.connection
        if hold.shown and connection.as_set_up() != hold.set_up:
            connection.session.changed_in_driver()
        # One that was broken off is under way still: it ends with the connection.
        if connection.commands - hold.seen <= bool(connection.broken):
            return
        connection.session.ran_unseen()
        if not connection.broken:
            self._observe(hold)
        hold.seen = connection.commands

    def _let_go(self, hold: Hold) -> None:
        """Give back what can be lent again, and end the rest."""
        if self.in_atomic_block:
            self._drop(hold, Reason.CLOSED)
        else:
            self._give_back(hold)

    def _drop(self, hold: Hold, reason: Reason) -> None:
        """End a connection that cannot be used any more, and with it its transaction."""
        self._hold = None
        self._gone = hold if self.in_atomic_block else None
        if hold.session.settings and reason is not Reason.CLOSED:
            self._owed = hold.session.settings
        if reason is Reason.RETIRED:
            hold.pool.retire(hold.lease)
        else:
            hold.pool.discard(hold.lease, reason)

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
        raise error from self._of_the_driver(CR_SERVER_LOST, cause)

    def _of_the_driver(self, code: object, cause: BaseException | None = None) -> Exception:
        """Return the driver's error for a command that was not sent: the connection is gone.

        Django's errors have the driver's as their cause, where people read what it said.
        """
        error: Exception = self.Database.OperationalError(code, "The connection is gone: not sent")
        error.__cause__ = cause
        return error

    # Before, during and after a statement

    def ready(self, statement: Statement) -> Hold:
        """Return a living connection for *statement*, at no round trip when the held one lives.

        Raises ``ConnectionLost`` when the held one died and took with it what *statement* needs,
        and the pool's or the driver's errors when no other can be had.
        """
        hold = self._living(statement)
        if hold.connection.session.state is not _AUTOCOMMIT:
            hold = self._ready_inside(hold, statement)
        if statement.asks is not _NOTHING or statement.opaque:
            hold = self._ready_to_tell(hold, statement)
        return hold

    def _living(self, statement: Statement) -> Hold:
        """Return a living connection, in whatever state its transaction is."""
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
                # An exchange was broken off and nobody could tell us: its rows may still come.
                return self._replace(hold, statement, Reason.INTERRUPTED)
        elif connection.closed or connection.channel.poll(0) and not connection.alive():
            return self._replace(hold, statement, Reason.DEAD)
        return hold

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
        known = self._known
        if (
            hold.returned
            and known is not None
            and not (known.target.pool is hold.pool and known.still_describes(self))
            and known_target(self).target.pool is not hold.pool
        ):
            # Test runners change the settings between two pieces of work, and so do sites of
            # many tenants.
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

    def _begin_anew(self, hold: Hold) -> None:
        """Let a new piece of work see nothing of the last one's, as on a new connection."""
        connection = hold.connection
        session = connection.session
        hold.ran, hold.foreign_id = False, session.inserted
        hold.foreign_complaints = session.complained
        connection.last_id = connection.last_count = 0
        connection.lent_at = connection.commands
        hold.keepsake = connection.keepsake = self._keepsake = None

    def _begin_holding(self) -> None:
        """Connect as Django does, or take the place of a connection that was lost."""
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
        self._hold = None
        hold.pool.retire(hold.lease)
        return self._take()

    def _ready_inside(self, hold: Hold, statement: Statement) -> Hold:
        """Inside a transaction that START TRANSACTION began, be as stock's session would be.

        Stock has autocommit off. So after an error, with which the server may have ended the
        transaction, and before a statement that may end it: what follows is then in a transaction
        again, not stored one by one.
        """
        state = hold.session.state
        if state is _DOUBTFUL:
            # The question would not be answered after another statement.
            if statement.asks is _NOTHING:
                return self._use_stock_transaction(hold, statement)
        elif state is _BEGUN and (statement.may_commit or statement.shapes):
            return self._use_stock_transaction(hold, statement)
        return hold

    def _ready_to_tell(self, hold: Hold, statement: Statement) -> Hold:
        """Before a question about an earlier statement: what answers is the wrapper's own, or none.

        A pooled session has had other borrowers, of whom nothing is to be seen. Code that is not
        in the text may ask, too, or insert; what it did to the number nobody sees afterwards.
        """
        keepsake, asks = self._keepsake, statement.asks
        if keepsake is None or hold.ran:
            unused = bool(asks & Asks.OUTCOME) and not hold.ran
            if unused or hold.foreign_complaints and (statement.opaque or asks & Asks.COMPLAINTS):
                hold.connection.run(_FORGETS)
                hold.foreign_complaints = hold.session.complained = False
        if (hold.foreign_id or keepsake is not None) and (
            statement.opaque or statement.asks & Asks.ID
        ):
            known = 0 if keepsake is None else keepsake.own_last_id()
            if known is not None:
                hold = self._set_last_id(hold, statement, known)
                # What it did itself is asked for next.
                self._keepsake = None if statement.opaque else keepsake
            elif not statement.opaque:
                raise self._answer_is_lost(hold)
        hold.seen = hold.connection.commands
        return hold

    def _set_last_id(self, hold: Hold, statement: Statement, known: int) -> Hold:
        sql = f"SELECT LAST_INSERT_ID({known:d})"
        try:
            hold.connection.run(sql)
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
            hold.connection.run(sql)
        hold.foreign_id, hold.session.inserted = False, True
        hold.connection.last_id = 0 if self._keepsake is None else self._keepsake.shown_id
        hold.keepsake = hold.connection.keepsake = Keepsake(hold, -1, warned=False)
        return hold

    def in_place_of(self, statement: Statement, sql: Any, args: Any) -> tuple[Any, Any]:
        """Return what to run for a question whose answer is not in the session any more."""
        keepsake, hold = self._keepsake, self._hold
        if keepsake is None or hold is None or hold.ran or not statement.asks & Asks.OUTCOME:
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

    def settle(self, hold: Hold, statement: Statement, sql: str | bytes, cursor: Any) -> bool:
        """Record what a statement left behind; return whether all of its answer has arrived.

        By then its cursor has no connection any more.
        """
        hold.used_at = now = _monotonic()
        hold.ran = True
        connection = hold.connection
        if connection.busy:
            self._note(hold, statement, sql, cursor)
            hold.seen = connection.commands
            return False
        session = connection.session
        if connection.status() != hold.status or not statement.plain:
            self._note(hold, statement, sql, cursor)
        elif session.state is not _AUTOCOMMIT:
            session.ran(statement, sql, None)
            self._note_id(hold, statement, cursor)
        elif not statement.reads_only or cursor.warning_count or hold.keepsake is not None:
            self._leave_answers(hold, statement, cursor)
        # Last of all: until then, whatever breaks in leaves a session of which too little is known.
        hold.seen = connection.commands
        if hold.shown:
            self._rest(hold)
        elif session.clean:
            # `_rest`, in place for the sake of the common case.
            hold.resting = True
            hold.lease.rest(now, answers=hold.keepsake is not None)
        return True

    def _note(self, hold: Hold, statement: Statement, sql: str | bytes, cursor: Any) -> None:
        hold.session.ran(statement, sql, getattr(cursor, "_executed", None))
        self._observe(hold)
        self._leave_answers(hold, statement, cursor)

    def _observe(self, hold: Hold) -> None:
        """Take over what the server's flags say."""
        connection = hold.connection
        hold.status = connection.status()
        connection.session.observe(*connection.flags())

    def _note_id(self, hold: Hold, statement: Statement, cursor: Any) -> None:
        """Remember whose number ``LAST_INSERT_ID()`` answers with, and whose are the warnings."""
        if getattr(cursor, "warning_count", 0):
            hold.foreign_complaints, hold.session.complained = False, True
        if statement.keyword in _WRITING and hold.connection.facts is not self._wrote_on:
            self._note_write(hold)
        # INSERT … RETURNING gives rows in the place of the number.
        returned = statement.keyword in _INSERTING and cursor.description is not None
        if returned or getattr(cursor, "lastrowid", None):
            self._keepsake = None
            hold.foreign_id, hold.session.inserted = False, True

    def _leave_answers(self, hold: Hold, statement: Statement, cursor: Any) -> None:
        """Remember what this statement's author may ask of it, and nobody else."""
        self._note_id(hold, statement, cursor)
        warned = bool(getattr(cursor, "warning_count", 0))
        if statement.reads_only and not warned:
            if hold.keepsake is not None:
                hold.keepsake.row_count, hold.keepsake.warned = -1, False
                hold.keepsake.shown_id = hold.connection.last_id
            return
        count = None if statement.batch else cursor.rowcount
        keepsake = Keepsake(hold, count, warned=warned)
        keepsake.shown_id = hold.connection.last_id or getattr(cursor, "lastrowid", 0) or 0
        hold.keepsake = hold.connection.keepsake = keepsake

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

    def _rest(self, hold: Hold) -> None:
        """Let the pool recall the connection for a borrower in need, where that loses nothing."""
        if hold.resting or hold.connection.busy or not hold.is_private:
            return
        self._notice_unseen(hold)
        session = hold.session
        if session.clean:
            if hold.keepsake is None and session.inserted and not hold.foreign_id:
                hold.keepsake = hold.connection.keepsake = Keepsake(hold, -1, warned=False)
            # In this order: a token given away while the owner believes to hold it would be
            # two holders, the reverse only costs the owner a new lease.
            hold.shown = False
            hold.resting = True
            hold.lease.rest(_monotonic(), answers=hold.keepsake is not None)

    def _lives(self, hold: Hold) -> bool:
        """Whether the connection can take the next command; no round trip."""
        connection = hold.connection
        return hold.pid == _getpid() and not connection.busy and bool(connection.alive())

    def recover(
        self, hold: Hold, statement: Statement, error: BaseException, *, repeats: int = 0
    ) -> Hold | None:
        """After *error* came out of *statement*: return a connection to repeat it on, or None.

        *repeats*: how often it was repeated already. None means that *error* itself is for the
        caller. Raises ``ConnectionLost`` when the connection was lost and repeating is not safe.
        """
        if not self._is_loss(hold, error):
            if hold.torn:
                self._break_off(hold, error)
                return None
            too_large = isinstance(error, PacketTooLarge) and self._sent_nothing(hold)
            again = self._after_refusal(hold, statement, error, may_follow=repeats < 2)
            if again is None and self._hold is hold:
                self._note_failure(hold, statement, error)
                if too_large and not repeats:
                    return self._where_more_is_taken(hold, statement)
            return again
        # Of a batch, earlier parts may have run whatever became of the last.
        sent = statement.batch or not self._never_left(hold, error)
        decision = self._decide(hold, statement, sent=sent)
        facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
        if not decision.repeat or repeats:
            raise self._lose(hold, facts, Reason.LOST) from error
        return self._swap(hold, facts, Reason.LOST)

    # After a refusal

    def _after_refusal(
        self, hold: Hold, statement: Statement, error: BaseException, *, may_follow: bool = True
    ) -> Hold | None:
        """Return a connection to a server that takes what this one refused for its part; or None.

        A refused statement did not run, so it may be repeated like one that was never sent.
        """
        left = self._leave_if_demoted(hold, statement, error)
        if left is None:
            # Of several commands, or of code that is not in the text, a part may have run before.
            alone = not statement.batch and not statement.opaque
            ended = may_follow and alone and self._ended_refusing(hold, error)
            if ended and verdict(error.args[0]).ran is Ran.NO:
                return self._replace(hold, statement, Reason.DEAD)
            return None
        decision, facts = left
        return self._follow(hold, facts, error) if decision.repeat and may_follow else None

    def _ended_refusing(self, hold: Hold, error: BaseException) -> bool:
        """Whether the session ended before it could tell why: its server is being shut down."""
        code = error.args[0] if error.args and isinstance(error, self.Database.Error) else None
        if code not in RAISE_QUESTIONS:
            return False
        connection = hold.connection
        return bool(connection.broken) or not (connection.busy or connection.alive())

    def _leave_if_demoted(
        self, hold: Hold, statement: Statement, error: BaseException
    ) -> tuple[Decision, LossFacts] | None:
        """Leave a server that takes no writes any more; None: it is not that, or not known."""
        code = error.args[0] if error.args and isinstance(error, self.Database.Error) else None
        if code not in RAISE_QUESTIONS or hold.connection.busy:
            return None
        writer = self._find_target().writer
        role = ask_role(hold.connection, code)
        hold.seen = hold.connection.commands
        then = after_refusal(role, wanted=writer.wanted, written=writer.written)
        if then is Then.LEAVE:
            hold.lease.slot.set_aside()
        if role is None or then is not Then.FOLLOW:
            if role is not None:
                error.takes_writes = role.takes_writes  # type: ignore[attr-defined]
            return None
        writer.leave(hold.lease)
        # Of several commands, or of code that is not in the text, a part may have run before.
        part = statement.batch or statement.opaque or verdict(code).ran is not Ran.NO
        decision = self._decide(hold, statement, sent=part)
        facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
        facts = replace(facts, refused_for=role.told)
        error.diagnosis = diagnose(facts)  # type: ignore[attr-defined]
        return decision, facts

    def _follow(self, hold: Hold, facts: LossFacts, error: BaseException) -> Hold | None:
        """Go on where the server's name leads to one that takes writes; None: there was none.

        Then what is held is the last that was found, on which all but writing works.
        """
        search = self._find_target().writer.search()
        if search is None:
            return None
        code = error.args[0]
        new = self._stand_in(hold, Reason.RETIRED, partial(self._search, search, code))
        if not search.found:
            self._rest(new)
            return None
        successor = successor_of(hold.connection, new.connection)
        done = replace(facts, done=Done.REPEATED, successor=successor)
        publish(Restored(self._find_target().name, self.alias, diagnose(done)))
        return new

    def _search(self, search: Search, code: object) -> Hold:
        """Borrow until it is from a server that takes writes, or the time is over.

        Without a connection meanwhile: those who wait for the turn must not fill the pool.
        """
        with search.turn():
            while True:
                try:
                    hold = self._take()
                except self.Database.Error as away:
                    if not goes_on(away.args[0] if away.args else None) or not search.pauses():
                        raise
                    continue
                found = search.ends(hold.connection, code, self.alias)
                hold.seen = hold.connection.commands
                if found:
                    return hold
                hold.lease.slot.set_aside()
                if not search.pauses():
                    return hold
                self._drop(hold, Reason.RETIRED)

    def _note_failure(self, hold: Hold, statement: Statement, error: BaseException) -> None:
        """Record what a statement may have done that was answered with an error."""
        if self._sent_nothing(hold):
            self._rest(hold)  # nothing was sent: the driver refused its parameters
            return
        hold.ran = True
        hold.keepsake = hold.connection.keepsake = None
        hold.foreign_complaints, hold.session.complained = False, True
        hold.session.failed(statement, error.args[0] if error.args else None)
        self._observe(hold)
        hold.seen = hold.connection.commands
        self._rest(hold)

    def _sent_nothing(self, hold: Hold) -> bool:
        return hold.connection.commands == hold.seen

    def _where_more_is_taken(self, hold: Hold, statement: Statement) -> Hold | None:
        """After a statement was too large for its session: return a new one that may take it.

        A session keeps the limit that was the server's when it began, and one of the pool's may
        be old. Asking costs a round trip, after the error alone. None: the limit is what it was, or
        the session is needed for what it holds.
        """
        if hold.resting and not hold.lease.resume():
            return None
        hold.resting = False
        try:
            limit = int(hold.connection.run("SELECT @@global.max_allowed_packet")[0][0])
        except self.Database.Error:
            return None  # whoever uses the connection next finds out what it has
        hold.seen = hold.connection.commands
        if limit > hold.connection.max_packet:
            if hold.lease.slot.generation == hold.pool.generation:
                hold.pool.retire_generation()
            if self._decide(hold, statement, sent=False).repeat:
                return self._renew_inside(hold)
        self._rest(hold)
        return None

    def _renew_inside(self, hold: Hold) -> Hold:
        """Replace a living connection where nothing depends on it but what can be made again."""
        self._keep_for_later(hold, lost=True)
        self._hold, self._owed = None, hold.session.settings
        hold.pool.retire(hold.lease)
        return self._stand_in_for(hold.session, self._take)

    def lost_closing(self, hold: Hold, error: BaseException) -> None:
        """What was left of an answer could not be read when its cursor was closed.

        The cursor's owner has what he wanted. Who runs the next statement hears of the loss, if
        anything was lost that he counts on.
        """
        if hold.connection.busy or self._is_loss(hold, error):
            hold.connection.hang_up()
        else:
            hold.session.failed(statement_of("CALL a_procedure()"), None)

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
        if hold.session.in_transaction:
            self._mark_transaction_lost(error)
        self._tell_interruption(hold, error)
        self._drop(hold, Reason.INTERRUPTED)

    def _tell_interruption(
        self, hold: Hold, error: BaseException, label: Label = Label.UNKNOWN_EFFECT
    ) -> None:
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
        session = hold.session
        loss = Loss(
            sent=sent,
            in_transaction=session.in_transaction,
            first_in_transaction=session.first_in_transaction,
            state_lost=bool(session.lost_with_it) or session.unseen,
            partly_stored=session.partly_stored,
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
        if hold.returned:
            self._keepsake = None
        else:
            self._keep_for_later(hold)
        new = self._take()
        if self._keepsake is not None:
            new.begins_anew(self._keepsake.shown_id, max(self._keepsake.row_count or 0, 0))
        return new

    def _make_its_own(self, hold: Hold) -> None:
        """Before the application may ask the session itself: nothing of another is left there.

        Its own last number is, though its connection was recalled.
        """
        keepsake = None if hold.ran else self._keepsake
        clean = keepsake is None and not (hold.foreign_id or hold.foreign_complaints)
        if clean or hold.shown or not self._lives(hold):
            return
        known = 0 if keepsake is None else keepsake.own_last_id() or 0
        connection, fresh = hold.connection, hold.connection.commands == hold.connection.lent_at
        connection.run(f"DO LAST_INSERT_ID((SELECT {known:d} FROM (SELECT 1) AS one))")
        hold.foreign_id = hold.foreign_complaints = hold.session.complained = False
        hold.session.inserted = True
        hold.seen = connection.commands
        if fresh:
            hold.begins_anew(connection.last_id, connection.last_count)

    def _keep_for_later(self, hold: Hold, *, lost: bool = False) -> None:
        """Remember that what may be asked about the last statement is not in the session held."""
        keepsake = hold.keepsake
        owns_id = keepsake is not None and not hold.foreign_id
        if keepsake is None:
            if lost or not hold.ran:
                return
            keepsake = Keepsake.of_a_read(hold)
        keepsake.follows(self._keepsake, owns_id=owns_id)
        keepsake.lost = lost
        self._keepsake = keepsake

    def _swap(self, hold: Hold, facts: LossFacts, reason: Reason) -> Hold:
        """Go on with another connection where the lost one stood."""
        new = self._stand_in(hold, reason, self._take)
        facts = replace(
            facts,
            done=Done.REPLACED if facts.before_sending else Done.REPEATED,
            successor=successor_of(hold.connection, new.connection),
        )
        publish(Restored(self._find_target().name, self.alias, diagnose(facts)))
        return new

    def _stand_in(self, hold: Hold, reason: Reason, take: Callable[[], Hold]) -> Hold:
        """Take another connection and make it what the one was that is ended."""
        hold.connection.loss_told = True
        self._keep_for_later(hold, lost=True)
        self._drop(hold, reason)
        return self._stand_in_for(hold.session, take)

    def _stand_in_for(self, was: Session, take: Callable[[], Hold]) -> Hold:
        """Return a connection whose transaction stands where that of the session before stood."""
        try:
            new = take()
            if was.state in (_BEGUN, _DOUBTFUL):
                self._begin(new)
            elif was.state is State.OFF and new.session.state is not State.OFF:
                self._switch_autocommit(new, False)
        except BaseException as error:
            if was.in_transaction:
                self._mark_transaction_lost(error)
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
            self._mark_transaction_lost(None)
        if self._hold is hold:
            hold.connection.loss_told = True
            self._drop(hold, reason)
        target = self._find_target()
        diagnosis = diagnose_raised(target, facts, hold.connection)
        error = kind(facts.code or CR_SERVER_LOST, f"The connection was lost: {diagnosis}")
        error.__cause__ = self._of_the_driver(error.args[0])
        attach(error, diagnosis)
        if hold.session.in_transaction:
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
        self._hold = self._keepsake = None
        session = hold.session
        if session.in_transaction or session.lost_with_it:
            facts = LossFacts(
                label=Label.NOT_EXECUTED,
                phase=Phase.BEFORE,
                statement=statement.keyword,
                state_lost=session.lost_with_it,
                in_transaction=session.in_transaction,
                server_thread_id=hold.connection.session_number,
                pid=_getpid(),
                forked=True,
            )
            # Not its connection, so it is not dropped: `_hold` is None by now.
            raise self._lose(hold, facts, Reason.CLOSED)
        self._owed = session.settings
        return self._take()
