"""Getting a connection for a wrapper and giving it back, as Django connects and closes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

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
    shape_of,
    shaped_target,
    targets,
)
from django_lifeline.backends.evidence import facts_of, found_dead
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.hooks import Shortcut, Watchful
from django_lifeline.backends.keepsake import Keepsake
from django_lifeline.backends.notices import Restored, publish
from django_lifeline.backends.server import ServerFacts
from django_lifeline.core.drivers import hub_of
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.effects import Keeps
from django_lifeline.core.events import Reason
from django_lifeline.core.pool import DirectPool, Pool
from django_lifeline.core.pool.owners import Owner
from django_lifeline.core.retry import Label
from django_lifeline.core.session import Session, Setting, State
from django_lifeline.core.statement import statement_of
from django_lifeline.diagnosis.facts import Phase
from django_lifeline.diagnosis.model import Diagnosis

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
    "_missed",
    "_owed",
    "_work_lost",
)
"""What connecting, or closing before it, sets back."""


OF_TRANSACTIONS = Keeps.TRANSACTION | Keeps.MODE | Keeps.CHOICE
_LOSSES = (Reason.DEAD, Reason.LOST, Reason.INTERRUPTED)

SILENT = 0.5
"""Seconds without an answer after which a loss says something of the other connections, too: that a
session was ended, or a server, is seen at once at each of them."""


class Lending(stock.DatabaseWrapper, metaclass=Watchful):
    """The part of a wrapper that holds a lease.

    ``_hold`` is what the wrapper has now, None when it has nothing. Only the thread that owns
    the wrapper touches it, as Django demands of wrappers anyway.
    """

    _shortcuts: Mapping[str, Shortcut] = {}

    # Django's own, without types there.
    autocommit: bool
    closed_in_transaction: bool
    health_check_done: bool
    rollback_exc: BaseException | None
    run_on_commit: list[Any]
    run_commit_hooks_on_set_autocommit_on: bool

    _missed: Keeps | None = None
    """What the piece of work has lost with its session, and has not taken up anew; or None."""
    _forgone_names: frozenset[str] = frozenset()
    """What `Keeps.FORGONE` among it stands for."""
    _hidden_texts: frozenset[str] = frozenset()
    """What `Keeps.HIDDEN` does."""
    _taking: Keeps | None = None
    """What of it is missed once the statement is answered that takes up some of it."""
    _missed_for: Diagnosis | None = None
    """Why."""
    _owed_by_a_block = False
    """Whether `_owed` is of a session that a block has lost: Django goes on with another then."""
    _of_a_block = False
    """Whether the transaction is a block's, after whose failed end Django closes the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._hold: Hold | None = None
        self._lent: Hold | None = None
        """What `get_new_connection` has got last; Django makes it the wrapper's."""
        self._gone: Hold | None = None
        """What was held until it was lost, or closed in a block, whose end Django waits for."""
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
        self._unmade = False
        """Whether that has just failed."""
        self._forgone: tuple[Setting, ...] = ()
        """What of it was given up last, since nobody knew what was going to be done."""
        self._untaken: Exception | None = None
        """Why a cursor was made without a connection, for its statement to say."""
        self._keepsake: Keepsake | None = None
        """What may be asked about the last statement, if its connection was recalled."""
        self._wrote_on: ServerFacts | None = None
        """The server on which a write was seen to go through."""
        self._learned: ServerFacts | None = None
        """What Django's own knowledge of the server was taken from."""
        self._work_lost = False
        """A transaction was lost with its connection and not yet rolled back by its author."""
        self._lost_writes: frozenset[str] = frozenset()
        """The savepoints of Django's blocks after which it wrote, "" for before them."""
        self._given_up: frozenset[str] = frozenset()
        """Those of the blocks in which its author wants a rollback since then."""
        self._untold: list[Restored] = []
        """What was found dead when the connection in hand was lent."""
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

    def _find_target(self) -> Target:
        name = self.settings_dict["NAME"]
        target = self._target
        if target is None or name is not self._target_name:
            if self.alias == NO_DB_ALIAS or targets.is_abroad(hub_of(self.Database)):
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
        target = self._find_target_of(params)
        targets.pass_by(target)
        try:
            lease = target.pool.lease(connect=partial(self._open, target, params))
        except BaseException:
            # Before the next attempt somebody may put the settings right, as with a new password.
            self._target = self._known = None
            if target.found_dead:
                self._untold += found_dead(target, self.alias, None)
                self._tell()
            raise
        if target.forgotten:
            targets.remember(target)
        if lease.fresh:
            target.writer.look_at(lease)
        hold = self._lent = Hold(lease, target.pool, pid, _monotonic())
        connection = hold.connection
        another = connection.keepsake is not None or connection.session.arranged is not None
        if another and not self._taken_over(hold):
            return Lending.get_new_connection(self, conn_params)
        if target.found_dead:
            self._untold += found_dead(target, self.alias, connection)
        return connection.visible

    def _find_target_of(self, params: Mapping[str, Any]) -> Target:
        """Return the target whose connections are opened with such parameters as *params*."""
        target = self._find_target()
        if target.shaped or self._shapes_connections():
            target.shaped = True
            shape = self._shape_of(params)
            if not target.is_of(shape):
                base = target.base
                target = base if base.is_of(shape) else shaped_target(base, shape, params, self)
                self._target, self._known = target, None
        return target

    def _shapes_connections(self) -> bool:
        """Whether somebody else's code has a say in the parameters of a connection."""
        return any(
            name in self._overridden or name in self._covered or name in self.__dict__
            for name in ("get_connection_params", "get_new_connection")
        )

    def _shape_of(self, params: Mapping[str, Any]) -> object:
        return shape_of({**params, "isolation_level": self.isolation_level})

    def _taken_over(self, hold: Hold) -> bool:
        """Leave nothing of its last holder's in what was recalled; False: it had to be ended."""
        connection = hold.connection
        try:
            if connection.keepsake is not None:
                self._take_keepsake(hold)
            return connection.session.arranged is None or self._cleared(hold)
        except BaseException:
            self._lent = None
            hold.pool.discard(hold.lease, Reason.INTERRUPTED)
            raise

    def _cleared(self, hold: Hold) -> bool:
        """Reset what receivers had arranged for somebody else; False: it had to be ended."""
        lease, pool, began = hold.lease, hold.pool, _monotonic()
        if self._is_fit_to_lend(hold):
            self._lent = Hold(lease, pool, hold.pid, hold.used_at)
            return True
        self._lent = None
        pool.discard(lease, Reason.DIRTY)
        if _monotonic() - began >= SILENT:
            pool.end_unheard(_monotonic() - began)
        return False

    def _tell(self) -> None:
        """Say what was found when something was lent, now that no slot is held.

        Whoever listens may use the database, and wait for others who listen.
        """
        untold, self._untold = self._untold, []
        for notice in untold:
            publish(notice)

    def _open(self, target: Target, params: Mapping[str, Any]) -> DriverConnection:
        """Open a connection with the credentials of this moment, within the server's budget."""
        if not target.is_of(self._shape_of(params)) and target.shaped:
            raise self.Database.InterfaceError("These parameters are those of another pool.")
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
        begun = self._opens_otherwise()
        return target.adopt(visible, params, self.isolation_level, begun=begun)

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
        if hold is None:
            return
        hold.connection.serve_several(True)
        if isinstance(hold.pool, Pool):
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
        # What sets up a connection (receivers, hooks) neither misses anything nor takes it up.
        missed, taking, self._missed = self._missed, self._taking, None
        try:
            hold = self._held(
                self._connect_again() if self._connects_otherwise else self._connect_in_its_place()
            )
            self._make_again(hold)
            if not self.autocommit and not self.in_atomic_block:
                self._switch_autocommit(hold, False)
        except BaseException as error:
            self._setting_up_failed(error)
            raise
        finally:
            self._missed, self._taking = missed, taking
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
        kept = {name: getattr(self, name) for name in _BEGUN_ANEW}
        try:
            self._connecting = True
            self._stand_as_connected(hold)
            self.init_connection_state()
            connection_created.send(sender=self.__class__, connection=self)
            hold.begins()
        finally:
            self._connecting = False
            for name, value in kept.items():
                setattr(self, name, value)
        return hold

    def _stand_as_connected(self, hold: Hold) -> None:
        """Be in no block, as after Django has connected: a receiver may have blocks of its own.

        Those of the work that the connection is for are not begun on it yet.
        """
        self.in_atomic_block = self.needs_rollback = self.closed_in_transaction = False
        for name in ("savepoint_ids", "atomic_blocks", "run_on_commit"):
            setattr(self, name, [])
        self.rollback_exc = None
        self.autocommit = hold.session.state is not State.OFF

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
        owed, self._unmade = self._owed, False
        try:
            for setting in owed:
                hold.connection.run(setting.sql)
                hold.session.ran(statement_of(setting.sql), setting.sql, None)
        except self.Database.Error as error:
            self._drop(hold, Reason.DIRTY)
            self._owed, self._unmade = owed, True
            facts = facts_of(self._find_target(), hold, _PLAIN, Label.NOT_EXECUTED, Phase.BEFORE)
            raise self._lose(hold, replace(facts, state_lost="SET"), Reason.DIRTY) from error
        hold.seen = hold.connection.commands
        self._owed = ()

    def _give_back(self, hold: Hold) -> None:
        self._hold = None
        self._closed, self._owed, self._keepsake = True, (), None
        # A loss whose author never came to hear of it is not the next piece of work's.
        if not self.in_atomic_block:
            self._work_lost, self._missed = False, None
        hold.returned = True
        if self._thread_sharing_count:
            hold.connection.serve_several(False)
        if self._target is not None:
            targets.pass_by(self._target)
        self._target = self._known = None  # the next piece of work may be for another one
        # One that rests is clean, and perhaps in other hands by now: give_back() knows.
        if hold.resting or self._is_fit_to_lend(hold):
            hold.pool.give_back(hold.lease)
        else:
            hold.pool.discard(hold.lease, Reason.DIRTY)
        if self._untold:
            self._tell()

    def _is_fit_to_lend(self, hold: Hold) -> bool:
        """Whether the session is as the next borrower expects it; resets it if that helps."""
        if hold.pid != _getpid() or not hold.is_private:
            return False
        self._notice_unseen(hold)
        session = hold.session
        if session.clean and session.arranged is None:
            return True
        connection = hold.connection
        resets = session.can_be_reset and not connection.facts.init_connect and self._lives(hold)
        if not resets or not connection.reset_session():
            return False
        connection.session = Session(session.hides)
        self._observe(hold)
        return connection.session.clean

    def _notice_unseen(self, hold: Hold) -> None:
        """Take in what was done through the driver's object, if there was anything."""
        self._notice_changes(hold)
        connection = hold.connection
        if connection.commands == hold.seen:
            return
        # One that was broken off is under way still: it ends with the connection.
        if connection.commands - hold.seen <= bool(connection.broken):
            return
        connection.session.ran_unseen(by_author=hold.shown)
        if not connection.broken:
            self._observe(hold)
        hold.seen = connection.commands

    def _notice_changes(self, hold: Hold) -> None:
        """Take in what was set in the driver's object itself; a closed one has lost it."""
        connection = hold.connection
        if hold.shown and not connection.closed and connection.as_set_up() != hold.set_up:
            connection.session.changed_in_driver()

    def _observe(self, hold: Hold) -> None:
        """Take over what the server's flags say."""
        connection = hold.connection
        hold.status = connection.status()
        connection.session.observe(*connection.flags())

    def _rest(self, hold: Hold) -> None:
        """Let the pool recall the connection for a borrower in need, where that loses nothing."""
        if hold.resting or hold.connection.busy or not hold.is_private:
            return
        if self._turn and self._is_visited():
            return
        self._notice_unseen(hold)
        session = hold.connection.session
        if session.clean:
            if hold.keepsake is None and session.inserted and not hold.foreign_id:
                hold.keepsake = hold.connection.keepsake = Keepsake(hold, -1, warned=False)
            # In this order: a token given away while the owner believes to hold it would be
            # two holders, the reverse only costs the owner a new lease.
            hold.shown = False
            hold.resting = True
            answers = hold.keepsake is not None
            if not hold.lease.rest(_monotonic(), answers=answers, left=session):
                hold.resting = False
            elif self._untold:
                self._tell()

    def _lives(self, hold: Hold) -> bool:
        """Whether the connection can take the next command; no round trip."""
        connection = hold.connection
        return hold.pid == _getpid() and not connection.busy and bool(connection.alive())

    def _let_go(self, hold: Hold) -> None:
        """Give back what can be lent again, and end the rest."""
        if self.in_atomic_block:
            self._drop(hold, Reason.CLOSED)
        else:
            self._give_back(hold)

    def _miss(self, was: Session) -> None:
        """Remember what the piece of work has lost with a session, and counts on as it goes on.

        Whoever hears of the loss need not be its author: Django's own code swallows errors (its
        database cache, robust hooks).
        """
        missed = was.missed
        if not self.autocommit:
            missed &= ~OF_TRANSACTIONS  # that of Django's is refused by itself
        if missed:
            self._miss_also(missed)
            self._hidden_texts |= was.hidden

    def _miss_also(self, missed: Keeps) -> None:
        if self._missed is None:
            self._missed, self._forgone_names, self._hidden_texts = missed, frozenset(), frozenset()
        else:
            self._missed |= missed

    def _note_what_went(self, was: Session, *, lost: bool) -> None:
        """Remember what the session had that is not this process's any more, or nobody's."""
        if lost and not self._of_a_block:
            # What a block had is lost until its end, and there Django closes the connection.
            self._miss(was)
        if was.settings:
            self._owed, self._owed_by_a_block = was.settings, self._of_a_block

    def _drop(self, hold: Hold, reason: Reason) -> None:
        """End a connection that cannot be used any more, and with it its transaction."""
        self._hold = self._missed_for = None
        # On one that was half set up there was nothing yet that is not owed already.
        if reason not in (Reason.CLOSED, Reason.DIRTY):
            lost = reason in _LOSSES and hold.pid == _getpid()
            self._note_what_went(hold.session, lost=lost)
        if reason is Reason.RETIRED:
            hold.pool.retire(hold.lease)
        else:
            hold.pool.discard(hold.lease, reason)
        # Last of all: should anything break in, whoever keeps the lease keeps its slot as well.
        self._gone = hold
