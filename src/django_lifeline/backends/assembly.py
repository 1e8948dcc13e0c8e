"""The composition root: from a wrapper's settings to the pool that serves it.

A `Target` is one database as this process reaches it. Wrappers of any thread with the same
settings share it, and two with different settings never do: the key holds everything that
distinguishes one session from another, so a test's database cannot borrow from production.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from operator import itemgetter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from django_lifeline.backends.credentials import connect_with, source_of
from django_lifeline.backends.errors import explain_refusal, number_of
from django_lifeline.backends.failover import Writer
from django_lifeline.backends.notices import publish
from django_lifeline.backends.server import ServerFacts
from django_lifeline.backends.sharing import (
    Likeness,
    budget_of,
    database_of,
    likeness,
    room_in,
    server_of,
)
from django_lifeline.core.backoff import Backoff
from django_lifeline.core.classification import (
    ER_CON_COUNT_ERROR,
    is_away,
    is_full,
    takes_no_more,
)
from django_lifeline.core.clock import SystemClock
from django_lifeline.core.drivers import driver_for
from django_lifeline.core.drivers.base import DriverConnection, OpeningSets
from django_lifeline.core.effects import Effect, Hides, effect_of
from django_lifeline.core.events import ConnectionClosed, Event, Reason
from django_lifeline.core.liveness import TcpOptions
from django_lifeline.core.options import (
    LifelineOptions,
    OptionError,
    PoolOptions,
    lifeline_options,
    pool_options,
)
from django_lifeline.core.pool import Budget, DirectPool, Lifetimes, Pool, refusals
from django_lifeline.diagnosis.facts import ServerNow

DEFAULT_MAX_LIFETIME = 3600.0
DEFAULT_MAX_IDLE = 600.0
SAFE_SHARE_OF_WAIT_TIMEOUT = 0.9
KEPT_SHARE = 16
"""Of so many sessions that a server allows one process keeps one for its next piece of work, where
nobody has said how many: it is not the only one."""
HIDES_FOR = 100
"""Whether a database has triggers that leave something in sessions is asked anew with a connection
that is opened so many times later as the question took: where there are thousands of tables
MariaDB looks for each one's."""
ASKING_PAUSE = 1.0
"""Seconds in which a server is asked at most once after losses."""
ASKING_TIMEOUT = 2
"""Seconds that each step of asking may take: borrowing, connecting, the answer."""

ROOM_IS_SEEN = 1.0
"""Seconds in which a server is sure to have noticed that a connection has ended."""

MOST_ASKERS = 4
"""How many callers at a time may ask the same server after their driver has stopped waiting."""

MOST_SHAPES = 10
"""Sets of parameters, made by somebody else's code, that have a pool of their own at a time, for
each alias; ten times as many are remembered."""
FORGET_AFTER = 600.0
"""Seconds without a connection or a borrower after which a target is forgotten."""

clock = SystemClock()


class Target:
    """One database as one alias reaches it: driver, options, facts and pool.

    The parameters of a connection come with whoever opens it, made at that moment: a password or a
    token that changes is no other target.
    """

    shaped = False
    """Whether somebody else's code has made parameters for it, or other ones in its place."""
    hides: Hides | None = None
    """What of the database leaves something in sessions; None: not known yet, or any more."""
    _hides_until = float("-inf")

    def __init__(
        self,
        params: Mapping[str, Any],
        pool: PoolOptions | None,
        lifeline: LifelineOptions,
        wrapper: Any,
    ) -> None:
        self.params = params
        self.lifeline = lifeline
        self.credentials = source_of(lifeline)
        """Where the password comes from; None: from the settings."""
        self.budget: Budget[DriverConnection] | None = (
            None if pool is None else budget_of(params, lifeline)
        )
        """The limit over all pools of its server; None: there is none."""
        self.name = _name(params)
        self.facts: ServerFacts | None = None
        """What the server said of itself when a connection was opened last."""
        self.through_proxy: bool | None = None
        """Whether something passes the connections on; None: not known."""
        self.connect_error: int | None = None
        """The number of the latest attempt to connect, None if it succeeded."""
        self.alias: str = wrapper.alias
        """The alias that it is the target of."""
        self._kind = type(wrapper)
        self._settings = wrapper.settings_dict
        database = wrapper.Database
        self.driver = driver_for(database)
        self._connects_by = id(database.connect)
        self._error = database.OperationalError
        self._mistaken = database.Error
        self.found_dead: list[ConnectionClosed] = []
        """Connections that died while nobody used them, and whose story is still to be told."""
        self._asked_at = float("-inf")
        self.ask_anew()
        self.pooled = pool is not None
        self._timeout = PoolOptions().timeout if pool is None else pool.timeout
        self._shape: dict[str, object] = {}
        self.base = self
        """Whose place it takes where somebody else's code makes the parameters."""
        self.others: dict[object, Target | None] = {}
        """By shape, the latest last, those that take its place; None: seen once."""
        self.forgotten = False
        """Whether it is not among the process's targets any more: it had nothing for long."""
        self.pool: Pool[DriverConnection] | DirectPool[DriverConnection] = (
            DirectPool(self.name, self._open_alone, clock=clock, emit=self._hear)
            if pool is None
            else Pool(
                self.name,
                pool,
                self._open_alone,
                clock=clock,
                emit=self._hear,
                lifetimes=lambda connection: self._lifetimes(pool, connection),
                ping=lambda connection: connection.ping_within(lifeline.ping_timeout),
                is_away=self._is_away,
                full_for=self._full_for,
                budget=self.budget,
            )
        )

        self.writer = Writer(self.name, lifeline, clock, lambda: self.pool)
        """Where its writes go."""

    def __repr__(self) -> str:
        return f"<Target {self.name}>"

    def ask_anew(self) -> None:
        """Forget who asks after a loss: at first, and in a forked child."""
        self._hurried: dict[int, int] = {}
        """The threads that ask, and in how many seconds they have to be connected."""
        self._places = threading.BoundedSemaphore(MOST_ASKERS)

    def is_of(self, shape: object) -> bool:
        """Whether its connections are opened with parameters of this shape.

        Whoever opens the first one decides.
        """
        return isinstance(self.pool, DirectPool) or self._shape.setdefault("is", shape) == shape

    def _hear(self, event: Event) -> None:
        """Pass on what the pool tells, and remember what it says of dead connections."""
        publish(event)
        if isinstance(event, ConnectionClosed) and event.reason is Reason.DEAD:
            connection = event.connection
            if connection is not None and not connection.loss_told:
                self.found_dead.append(event)

    def _connect(self, params: Mapping[str, Any], sets: OpeningSets) -> DriverConnection:
        """Connect; a server that is full for a moment is asked again for a while."""
        # Autocommit is on, as Django sets it next.
        params = {**params, "autocommit": True, "opening_sets": sets}
        tcp = self._tcp_options()
        hurried = self._hurried.get(threading.get_ident())
        if hurried is not None:
            params["connect_timeout"] = hurried
        started = clock.monotonic()
        backoff = Backoff(started, 0.0)
        attempts, made_room = 0, False
        while True:
            attempts += 1
            try:
                connection: DriverConnection = self.driver.connect(params, tcp=tcp)
                self.connect_error = None
                return connection
            except self._error as error:
                now = clock.monotonic()
                self.connect_error = code = number_of(error) or 0
                made_room = made_room or targets.give_way(self, code)
                backoff.patience = 0.0 if hurried is not None else self._patience(code, made_room)
                pause = backoff.next_pause(now)
                if pause is None:
                    explain_refusal(error, self.name, attempts, now - started)
                    raise
            clock.sleep(pause)

    def _is_away(self, error: Exception) -> bool:
        """Whether connecting failed in a way that tells all borrowers of the pool something.

        That a server is full has been waited for by then. Whoever asks after a loss has less time
        than they would take.
        """
        number = number_of(error)
        return (is_away(number) or is_full(number)) and threading.get_ident() not in self._hurried

    def _full_for(self, error: Exception) -> float | None:
        """For how many seconds room is waited for after *error*, if the server has none."""
        return self.lifeline.full_server_timeout if takes_no_more(number_of(error)) else None

    def _patience(self, code: int, made_room: bool) -> float:
        """For how many seconds connecting is tried again after an error of this number."""
        if is_full(code) and not self.pool.opens_extra:
            return self.lifeline.full_server_timeout
        if made_room:
            return ROOM_IS_SEEN
        return min(self.lifeline.ride_out or 0.0, self._timeout) if is_away(code) else 0.0

    def _tcp_options(self) -> TcpOptions:
        return TcpOptions(
            keepalive=self.lifeline.tcp_keepalive, user_timeout=self.lifeline.tcp_user_timeout
        )

    def opened_within_budget(
        self,
        params: Mapping[str, Any],
        connect: Callable[[Mapping[str, Any]], DriverConnection],
        wanted: Likeness | None,
    ) -> DriverConnection:
        """Open a connection as `authenticated`, or take one over that another pool can spare.

        Raises `PoolTimeout` where none can be spared in time.
        """
        budget, pool = self.budget, self.pool
        if budget is None or not isinstance(pool, Pool):
            return self.authenticated(params, connect)
        hurried = threading.get_ident() in self._hurried
        seconds = ASKING_TIMEOUT if hurried else pool.options.timeout
        try:
            connection = room_in(budget, seconds, wanted, database_of(params))
        except TimeoutError:
            raise refusals.budget_spent(pool.stats(), seconds, budget.name, budget.limit) from None
        if connection is None:
            connection = self.authenticated(params, connect)
            connection.likeness = wanted
        else:
            self._take_from_elsewhere(connection)
        return connection

    def _take_from_elsewhere(self, connection: DriverConnection) -> None:
        """Know of a connection that was moved here what it would be asked as it is opened."""
        hides = self.hides
        if hides is None:
            hides = self._asked_of(connection, client=False).hides
        self.facts = connection.facts = replace(connection.facts, hides=hides)
        connection.session.hides = hides

    def like(
        self, kind: type, params: Mapping[str, Any], isolation_level: str | None
    ) -> Likeness | None:
        """Return what a session opened with *params* is like; None without a budget."""
        if self.budget is None:
            return None
        return likeness((kind, self._connects_by), params, isolation_level, self.lifeline)

    def authenticated(
        self, params: Mapping[str, Any], connect: Callable[[Mapping[str, Any]], DriverConnection]
    ) -> DriverConnection:
        """Let *connect* open a connection with *params* and the credentials of this moment."""
        source = self.credentials
        connection = connect_with(
            source, params, connect, place=f"DATABASES[{self.alias!r}]", errors=self._error
        )
        if source is not None:
            connection.latest_credentials = source.latest
        return connection

    def open(self, params: Mapping[str, Any], isolation_level: str | None) -> DriverConnection:
        """Open a connection with the driver's *params*, and ask the server about itself.

        Raises the driver's errors.
        """
        connection = self._connect(params, partial(_opening_sets, isolation_level))
        return self._take_in(connection, begun=_may_begin(params))

    def adopt(
        self,
        visible: Any,
        params: Mapping[str, Any],
        isolation_level: str | None,
        *,
        begun: bool = False,
    ) -> DriverConnection:
        """Take in a connection that a subclass of the engine has opened by itself.

        ``begun`` if it may have begun a transaction on one that autocommits. Raises
        ``NotADriversConnection``, and the driver's errors.
        """
        sets = partial(_opening_sets, isolation_level)
        connection: DriverConnection = self.driver.adopt(visible, params, opening_sets=sets)
        connection.channel.set_tcp(self._tcp_options())
        connection.autocommit(True)
        return self._take_in(connection, begun=begun or _may_begin(params))

    def _take_in(self, connection: DriverConnection, *, begun: bool) -> DriverConnection:
        connection.ping_timeout = self.lifeline.ping_timeout
        connection.opened_at = clock.monotonic()
        connection.opened_by = threading.current_thread().name
        try:
            connection.facts = facts = self._ask(connection)
            is_open = connection.flags()[1]
            if (begun or facts.init_connect) if is_open is None else is_open:
                connection.store_what_was_begun()
            if facts.sql_auto_is_null:
                # It would make ``pk IS NULL`` find the row inserted last.
                connection.set_for_good("@@session.sql_auto_is_null = 0")
            if not facts.autocommit and connection.flags()[0]:
                # Off for the whole server: MySQL's greeting says nothing of it, so the driver
                # takes it for on, and what Django stores would stay uncommitted.
                connection.set_for_good("@@session.autocommit = 1")
        except BaseException as error:
            connection.discard()
            if isinstance(error, self._error):
                # Nobody has used it yet: to him who wants one, connecting has failed.
                self.connect_error = number_of(error) or 0
                explain_refusal(error, self.name, 1, clock.monotonic() - connection.opened_at)
            raise
        connection.max_packet = facts.limits.max_allowed_packet
        return connection

    def _ask(self, connection: DriverConnection) -> ServerFacts:
        """Ask the server about itself, for each connection: it may be another one by now."""
        facts = self._asked_of(connection, client=self.through_proxy is None)
        connection.session.hides = facts.hides
        if facts.client is not None:
            self.through_proxy = facts.passed_on(connection)
        if facts.session is not None:
            connection.numbered_by_proxy = facts.session != connection.server_thread_id
        facts = facts.without_session()
        if facts != self.facts:
            self.facts = facts
            if isinstance(self.pool, Pool):
                self.pool.keep_no_more_than(facts.most_sessions // KEPT_SHARE)
        return self.facts

    def _asked_of(self, connection: DriverConnection, *, client: bool) -> ServerFacts:
        """Return what the server says, and of the database too if it is time to ask."""
        began = clock.monotonic()
        known = self.hides if began < self._hides_until else None
        facts = ServerFacts.ask(connection, self._mistaken, client=client, hides=known)
        self.hides = facts.hides
        if known is None:
            now = clock.monotonic()
            self._hides_until = now + HIDES_FOR * (now - began)
        return facts

    def finds_code(self, hides: Hides) -> None:
        """Take note that somebody has just made what leaves something in sessions."""
        self.hides = None
        for connection in self.pool.connections():
            if connection.session.hides.value < hides.value:
                connection.session.hides = hides

    def _open_alone(self) -> DriverConnection:
        """Open a connection for nobody in particular, through a wrapper of its own."""
        wrapper = self._kind(self._settings, self.alias)
        opened: DriverConnection = wrapper.open_for_the_pool(self)
        return opened

    def ask_again(
        self, lost_id: int, seconds: float | None
    ) -> tuple[ServerNow, DriverConnection] | None:
        """After a loss, ask the server about itself; None: it did not answer, or not again so soon.

        ``lost_id`` is the server's number of the lost session; 0: not known. It may take so many
        ``seconds`` in all; None: as each step may take.
        Borrows from the pool, unless others are waiting, so the limits are kept. Returns the
        connection that was used for it as well, which is in other hands by then.
        """
        if clock.monotonic() - self._asked_at < ASKING_PAUSE or self.pool.waiters:
            return None
        if seconds is None:
            return self._ask_server(lost_id, ASKING_TIMEOUT)
        return self.ask_within(lost_id, seconds, places=2)

    def ask_within(
        self, lost_id: int, seconds: float, *, places: int
    ) -> tuple[ServerNow, DriverConnection] | None:
        """As `ask_again`, but also where it was asked a moment ago.

        No driver can be told to connect within less than a second. So a thread asks, which goes on
        with a step that takes longer, and gives back what it borrowed after that: unless so many
        ``places`` are free nobody asks, since the caller's next statement needs one.
        """
        free = self._free_places()
        if free is not None and free < places or not self._places.acquire(blocking=False):
            return None
        told: list[tuple[ServerNow, DriverConnection] | None] = []

        def ask(over: Callable[[], None] = self._places.release) -> None:
            try:
                told.append(self._ask_server(lost_id, seconds))
            finally:
                over()

        try:
            asker = threading.Thread(target=ask, name="lifeline-asks", daemon=True)
            asker.start()
        except RuntimeError:  # the interpreter is about to end, or the process has no room for it
            self._places.release()
            return None
        asker.join(seconds)
        return told[0] if told else None

    def _free_places(self) -> int | None:
        """How many more connections the pool may have in use; None: as many as are wanted."""
        stats = self.pool.stats()
        if not stats.max_size:
            return None
        return stats.max_size - stats.used + stats.resting

    def _ask_server(
        self, lost_id: int, seconds: float
    ) -> tuple[ServerNow, DriverConnection] | None:
        known = self.facts
        if known is None:
            return None
        self._asked_at = clock.monotonic()
        self._hurried[threading.get_ident()] = math.ceil(seconds)
        try:
            lease = self.pool.lease(seconds)
        except Exception:
            # The loss itself is what the caller is to be told about.
            return None
        finally:
            self._hurried.pop(threading.get_ident(), None)
        answer = known.ask_again(lease.connection, lost_id, seconds)
        if answer is None:
            self.pool.discard(lease, Reason.LOST)
            return None
        self.pool.give_back(lease)
        return answer, lease.connection

    def _lifetimes(self, options: PoolOptions, connection: DriverConnection) -> Lifetimes:
        limit = self.facts.limits.wait_timeout * SAFE_SHARE_OF_WAIT_TIMEOUT if self.facts else None
        # One that comes from another pool is not young.
        age = clock.monotonic() - connection.opened_at
        return Lifetimes(
            max_lifetime=_below(limit, options.max_lifetime, DEFAULT_MAX_LIFETIME) - age,
            max_idle=_below(limit, options.max_idle, DEFAULT_MAX_IDLE),
        )


def _may_begin(params: Mapping[str, Any]) -> bool:
    """Whether connecting with these may begin a transaction, by a statement or an option file."""
    init = params.get("init_command")
    if init and effect_of(str(init)) is not Effect.SETS:
        return True
    return any(params.get(name) for name in ("read_default_file", "read_default_group"))


def _opening_sets(isolation_level: str | None, server_version: str) -> str:
    """Return the assignments that Django makes on a new session, to travel with SET NAMES.

    Only of variables that proxies keep track of, in a form that they read: whatever else is set
    binds the session to one connection of the proxy's.
    """
    if not isolation_level:
        return ""
    level = isolation_level.upper().replace(" ", "-")
    return f"@@session.{_isolation_variable(server_version)} = '{level}'"


def _isolation_variable(server_version: str) -> str:
    """MariaDB took over MySQL's name of the variable in 11.1."""
    numbers = server_version.split("-")[0].split(".")[:2]
    old = "mariadb" in server_version.lower() and tuple(map(int, numbers)) < (11, 1)
    return "tx_isolation" if old else "transaction_isolation"


def _below(limit: float | None, chosen: float | None, default: float) -> float:
    if chosen is not None:
        return chosen
    return default if limit is None else min(default, limit)


class Targets:
    """All targets of this process.

    ``_lock`` guards ``_targets`` while one is added. Nothing slow happens under it: a target
    opens its first connection when somebody borrows.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._home = 0
        self._lock = threading.Lock()
        self._targets: dict[object, Target] = {}
        self._round: deque[tuple[object, Target]] = deque()
        """The same, in the order in which `pass_by` looks at them."""
        self._hooked = False

    def __iter__(self) -> Iterator[Target]:
        return iter(list(self._targets.values()))

    def find(self, key: object, make: Callable[[], Target]) -> Target:
        """Return the target of *key*, making it the first time."""
        self.notice_fork()
        target = self._targets.get(key)
        if target is None:
            with self._lock:
                target = self._targets.get(key)
                if target is None:
                    target = self._targets[key] = make()
                    self._round.append((key, target))
                if not self._hooked:
                    if hasattr(os, "register_at_fork"):  # Windows has no fork
                        os.register_at_fork(after_in_child=self.notice_fork)
                    atexit.register(self.say_goodbye)
                    self._hooked = True
        return target

    def pass_by(self, used: Target | None) -> None:
        """Look at one target other than the *used* one: nothing rests for ever.

        Called at each lend and give-back. Ends what was idle too long in pools that nobody asks
        any more, and forgets a target that has had nothing for a while.
        """
        if len(self._round) < 2:
            return
        try:
            self._round.rotate(-1)
            key, target = self._round[0]
        except (IndexError, RuntimeError):  # another thread is at it
            return
        if target is used:
            return
        if target.pool.look_after(FORGET_AFTER):
            self._forget(key, target)

    def give_way(self, wanted: Target, code: int) -> bool:
        """End a connection that idles in another pool, if the server refused one for want of room.

        Whether one has ended. Where the limit is an account's, only one of the same account.
        """
        if not takes_no_more(code):
            return False
        where, user = server_of(wanted.params), wanted.params.get("user")
        for target in self:
            pool = target.pool
            near = target is not wanted and server_of(target.params) == where
            if not near or not isinstance(pool, Pool) or pool.needs_all():
                continue
            if code != ER_CON_COUNT_ERROR and target.params.get("user") != user:
                continue
            for slot in pool.idle_slots():
                lease = pool.take_out(slot)
                if lease is not None:
                    pool.give_way(lease)
                    return True
        return False

    def let_go(self, target: Target) -> None:
        """Forget a target that has too many beside it; its idle connections end."""
        for key, each in list(self._targets.items()):
            if each is target:
                self._forget(key, target)
        target.pool.drain()

    def _forget(self, key: object, target: Target) -> None:
        with self._lock:
            if self._targets.get(key) is target:
                del self._targets[key]
                target.forgotten = True
            with suppress(ValueError):
                self._round.remove((key, target))
        for number, known in list(_known.items()):
            if known.target is target:
                _known.pop(number, None)

    def remember(self, target: Target) -> None:
        """Take up a target again that was forgotten while a wrapper still knew it."""
        with self._lock:
            if target.forgotten:
                target.forgotten = False
                key = object()
                self._targets[key] = target
                self._round.append((key, target))

    def is_abroad(self, hub: int) -> bool:
        """Whether *hub* is not the one of whoever asked first, whose the pools' connections are."""
        if not hub:
            return False
        self._home = self._home or hub
        return hub != self._home

    def notice_fork(self) -> None:
        """In a forked child: let go of everything inherited, without a word to any server.

        Runs as an at-fork hook, and again at every checkout since uWSGI forks in C, where
        Python's hooks do not run.
        """
        pid = os.getpid()
        if pid == self.pid:
            return
        self.pid = pid
        self._home = 0
        self._lock = threading.Lock()
        for target in self._targets.values():
            if target.budget is not None:
                target.budget.start_over()
        for target in self._targets.values():
            for connection in target.pool.connections():
                connection.park()
            target.pool.start_over_after_fork()
            target.ask_anew()
            target.writer.start_over_after_fork()

    def say_goodbye(self) -> None:
        """When the interpreter ends: close what nobody is going to use again.

        Django's commands close their connections last, which leaves them with the pool, and
        PyMySQL drops what is left without a word: the server counts that as aborted.
        """
        self.notice_fork()
        for target in self:
            target.pool.say_goodbye()


targets = Targets()


_PASSWORDS = ("password", "passwd")
_distinguishing = itemgetter("NAME", "USER", "HOST", "PORT")
"""What tells one database from another; a password does not."""


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """The target found for some settings, and what they held then."""

    kind: type
    connect: Any
    values: tuple[Any, ...]
    given: Mapping[str, Any]
    """The dict of OPTIONS itself, and what was in it."""
    options: Mapping[str, Any]
    target: Target

    def still_describes(self, wrapper: Any) -> bool:
        """Whether *wrapper*'s settings are what they were."""
        settings = wrapper.settings_dict
        return (
            self.given is settings["OPTIONS"]
            and self.connect is wrapper.Database.connect
            and self.kind is type(wrapper)
            and not self.target.forgotten
            and self.values == _distinguishing(settings)
            and self.options == self.given
        )


_known: dict[tuple[str, int, object], Known] = {}
"""By alias, dict of OPTIONS and name of the database, which sites of many tenants change."""
_KNOWN_LIMIT = 4096


def private_target(wrapper: Any) -> Target:
    """Return a target of *wrapper*'s settings that is shared with nobody."""
    _pool, lifeline, _options = _asked(wrapper)
    return Target(wrapper.params_of_settings(), None, lifeline, wrapper)


def known_target(wrapper: Any) -> Known:
    """Return the target of *wrapper*'s settings.

    It is remembered for as long as the settings stay the same: all threads' wrappers of an alias
    share one dict of OPTIONS, and every new thread or greenlet asks anew.
    Raises ``ImproperlyConfigured`` for a wrong option.
    """
    settings = wrapper.settings_dict
    name = settings["NAME"]
    given = wrapper.alias, id(settings["OPTIONS"]), name if type(name) is str else id(name)
    known = _known.get(given)
    if known is not None and known.still_describes(wrapper):
        return known
    pool, lifeline, options = _asked(wrapper)
    params = wrapper.params_of_settings()
    for name in _PASSWORDS:
        options.pop(name, None)
    asked = [getattr(lifeline, field.name) for field in fields(lifeline)]
    place = _distinguishing(settings)
    kind, connect = type(wrapper), wrapper.Database.connect
    # By identity: a proxy that a monitoring tool has put there is equal to what it wraps. Who
    # begins to watch the driver sees new connections, and who ends it is left alone by them.
    opener = (wrapper.Database.__name__, id(connect))
    key = (wrapper.alias, kind, opener, _frozen(place), _frozen(options), pool, _frozen(asked))
    target = targets.find(key, lambda: Target(params, pool, lifeline, wrapper))
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    known = Known(kind, connect, place, settings["OPTIONS"], dict(settings["OPTIONS"]), target)
    _known[given] = known
    return known


def shaped_target(base: Target, shape: object, params: Mapping[str, Any], wrapper: Any) -> Target:
    """Return the target of parameters that somebody else's code has made, by their shape.

    A subclass may choose the database, the user or how a session begins by what it knows at that
    moment, such as a thread's tenant. A session of one shape is nothing for who wants another.
    Only a shape that comes again has a pool: what is made anew for every connection never does.
    """
    pool, lifeline, _options = _asked(wrapper)
    shown = {name: value for name, value in params.items() if name not in _PASSWORDS}
    known = shape in base.others
    target = base.others.pop(shape, None)
    if target is None or target.forgotten:
        # Nobody in particular has a shape: what is opened in advance would be of any.
        base.pool.open_none_in_advance()
        pool = replace(pool, min_size=0) if pool is not None and known else None
        make = partial(Target, shown, pool, lifeline, wrapper)
        target = targets.find((base, shape), make) if known else make()
        target.base, target.shaped = base, target.is_of(shape)
    base.others[shape] = target if known else None
    _keep_within(base, MOST_SHAPES)
    return target


def _keep_within(base: Target, most: int) -> None:
    """Let go of the pools that were asked longest ago, and of most that was seen once."""
    pooled = [(shape, each) for shape, each in list(base.others.items()) if each is not None]
    for shape, older in pooled[:-most]:
        base.others.pop(shape, None)
        targets.let_go(older)
    for shape in list(base.others)[: -10 * most]:
        base.others.pop(shape, None)


def shape_of(value: Any) -> object:
    """Return what tells parameters from others: all that is plain, and the kind of the rest.

    Not the password, and not which function or object it is where they are made anew each time.
    """
    if isinstance(value, Promise):
        return id(value)  # the source, not its answer, which may change
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        names = (name for name in value if name not in _PASSWORDS)
        return tuple(sorted((str(name), repr(shape_of(value[name]))) for name in names))
    if isinstance(value, list | tuple):
        return tuple(shape_of(item) for item in value)
    if isinstance(value, set | frozenset):
        return tuple(sorted(repr(shape_of(item)) for item in value))
    if value is None or isinstance(value, str | bytes | int | float):
        return type(value).__name__, value
    kind = type(value)
    return kind.__module__, kind.__qualname__, getattr(value, "__qualname__", "")


def _asked(wrapper: Any) -> tuple[PoolOptions | None, LifelineOptions, dict[str, Any]]:
    """Return what *wrapper*'s OPTIONS ask of the pool and the engine, and what is the driver's."""
    options = dict(wrapper.settings_dict["OPTIONS"])
    try:
        pool = pool_options(options.pop("pool", True))
        lifeline = lifeline_options(options.pop("lifeline", {}))
    except OptionError as error:
        raise ImproperlyConfigured(f"DATABASES[{wrapper.alias!r}]: {error}") from None
    return pool, lifeline, options


def _name(params: Mapping[str, Any]) -> str:
    place = params.get("unix_socket") or params.get("host") or "localhost"
    if "port" in params:
        place = f"{place}:{params['port']}"
    return f"{params.get('user', '')}@{place}/{params.get('database', '')}"


def _frozen(value: Any) -> Any:
    if isinstance(value, Promise):
        return id(value)  # the source, not its answer, which may change
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), _frozen(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, set | frozenset):
        return frozenset(_frozen(item) for item in value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return (type(value).__name__, value) if isinstance(value, int | bool) else value
