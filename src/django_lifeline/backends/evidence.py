"""Gathers what is known of a lost connection; nothing here runs unless one was lost."""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from collections.abc import Container, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

from django_lifeline.backends.assembly import Target, clock
from django_lifeline.backends.errors import driver_cause
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.notices import Restored
from django_lifeline.core.classification import (
    CR_CONN_HOST_ERROR,
    CR_CONNECTION_ERROR,
    CR_SERVER_GONE_ERROR,
    CR_SERVER_LOST,
    CR_SSL_CONNECTION_ERROR,
)
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.liveness import Sight, SightKind, TcpFacts
from django_lifeline.core.retry import Label
from django_lifeline.core.session import Setting
from django_lifeline.core.statement import Statement
from django_lifeline.diagnosis import kin
from django_lifeline.diagnosis.facts import READ_SLACK, LossFacts, Phase, Successor
from django_lifeline.diagnosis.loss import diagnose, server_could_tell
from django_lifeline.diagnosis.model import Diagnosis, Done

_INTERACTIVE = 1024
"""The client flag CLIENT_INTERACTIVE."""
_WAIT_TIMEOUT = re.compile(r"\bwait_timeout\s*:?=\s*(\d+)", re.IGNORECASE)
_AWAY = (CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR, CR_SERVER_LOST, CR_SERVER_GONE_ERROR)
"""Numbers of an attempt to connect to a server that has ended, or is about to."""
_SHORTEST, _LONGEST = 0.25, 1.0
"""Seconds that a caller whom the driver kept waiting is kept waiting once more."""
_AT_ONCE = 0.2
_FOREIGN = 0.03
"""Seconds after our own last command from which a later one was somebody else's."""
_TLS_WORDS = re.compile(
    r"\balert\b|decrypt|record mac|wrong version|unexpected (?:message|record|TLS packet)|length",
    re.IGNORECASE,
)
"""What OpenSSL and GnuTLS say of a record that is broken, but not of a connection that ended."""
_CLIENTS_NUMBERS = range(2000, 3000)


def facts_of(
    target: Target,
    hold: Hold,
    statement: Statement,
    label: Label,
    phase: Phase,
    error: BaseException | None = None,
) -> LossFacts:
    """Return what is known about the loss of what *hold* holds."""
    slot, session = hold.lease.slot, hold.session
    at_rest = max(slot.rested_at, slot.returned_at, slot.pinged_at)
    rests = at_rest >= hold.used_at
    used_at = at_rest if rests or not (session.work or hold.settings) else hold.used_at
    facts = connection_facts(
        target, hold.connection, used_at, label=label, phase=phase, error=error
    )
    quiet = rests and not session.in_transaction
    later = facts.before_sending and _sent_later(facts, used_at)
    sharers = _sharers(facts, hold.connection)
    return replace(
        facts,
        statement=statement.keyword,
        ends_transaction=statement.ends_transaction,
        state_lost=session.lost_with_it,
        in_transaction=session.in_transaction,
        exposed=hold.shown,
        own_wait_timeout=_own_wait_timeout(
            (*(session.arranged.settings if session.arranged else ()), *hold.settings)
        ),
        sent_by_another=facts.sent_by_another or quiet and later and not facts.tls,
        sharers=sharers,
        closed_in=kin.closed_in(sharers, hold.connection.channel.driver_fd),
        # Encrypted, the engine's own ping may have been sent after the last statement.
        fork_in_doubt=facts.fork_in_doubt or facts.tls and later and (quiet or session.work > 0),
    )


def connection_facts(
    target: Target,
    connection: DriverConnection,
    used_at: float,
    *,
    label: Label,
    phase: Phase,
    error: BaseException | None = None,
) -> LossFacts:
    """Return what is known about a connection by itself; it was last used at *used_at*."""
    before = phase in (Phase.BEFORE, Phase.IDLE)
    sight = connection.last_sight if before else None
    tcp = connection.channel.tcp_facts() if sight is None else sight.tcp
    now = clock.monotonic()
    ended = sight is not None and sight.kind is SightKind.CLOSED and not connection.busy
    known, params = target.facts, target.params
    own = max(now - max(used_at, connection.opened_at), 0.0)
    return LossFacts(
        label=label,
        phase=phase,
        code=_code(error, sight),
        driver_cause=driver_cause(error) or _broken_tls(error),
        driver_tells=type(connection).__module__.endswith("pymysql"),
        idle=min(own, tcp.last_sent) if before and tcp is not None else own,
        age=now - connection.opened_at,
        elapsed=0.0 if before else _elapsed(own, tcp),
        limits=known.limits if known else None,
        interactive=bool(params.get("client_flag", 0) & _INTERACTIVE),
        read_timeout=params.get("read_timeout") or None,
        write_timeout=params.get("write_timeout") or None,
        tcp_user_timeout=target.lifeline.tcp_user_timeout,
        ping_timeout=target.lifeline.ping_timeout,
        sight=sight,
        tcp=tcp,
        through_proxy=target.through_proxy,
        mariadb="mariadb" in connection.server_version.lower(),
        tls=connection.channel.tls,
        server_thread_id=connection.session_number,
        bytes_sent=connection.last_size,
        opened_by=connection.opened_by,
        used_by=threading.current_thread().name,
        pid=os.getpid(),
        sent_by_another=ended and _goes_unanswered(tcp),
        fork_in_doubt=ended and tcp is None and kin.has_had_children(),
        closed_here=_closed_here(connection, sight, before, own, tcp),
        ended_for=connection.ended_for,
    )


def torn(facts: LossFacts, connection: DriverConnection) -> LossFacts:
    """Say how it came that an exchange was found unfinished before the next one."""
    other = other_user_of(connection)
    if other:
        # The other one's exchange ends with the connection, and is to know why.
        connection.ended_for = "shared_between_threads"
        return replace(facts, shared_with=other)
    if connection.broken:
        return replace(facts, ended_for="interrupted")
    return replace(facts, unread=True)


def patience_after(facts: LossFacts) -> float | None:
    """For how many seconds somebody who was lost so may be kept waiting for what the server says.

    None: as long as it takes. Where the driver has stopped waiting he has waited for as long as he
    wanted to, and who was silent until then may be silent for ever: the loss is to be told hardly
    later than by stock Django. An eighth of his wait, from a quarter of a second to a second.
    """
    if not facts.gave_up or facts.code is not None and facts.code not in _CLIENTS_NUMBERS:
        return None
    if facts.read_timeout is None or facts.elapsed < facts.read_timeout - READ_SLACK:
        return _LONGEST  # it gave up for another reason, such as a signal
    return min(max(facts.elapsed / 8, _SHORTEST), _LONGEST)


def diagnose_raised(target: Target, facts: LossFacts, lost: DriverConnection) -> Diagnosis:
    """Diagnose a loss that the caller is told of; the server may be asked about it."""
    found = diagnose(facts)
    if not server_could_tell(facts, found):
        return found
    told = target.ask_again(lost.session_number, patience_after(facts))
    if told is not None:
        now, connection = told
        return diagnose(replace(facts, server=now, successor=successor_of(lost, connection)))
    code = target.connect_error
    return diagnose(replace(facts, unreachable_with=code if code in _AWAY else 0))


def found_dead(target: Target, alias: str, new: DriverConnection | None) -> list[Restored]:
    """What is to be told of connections that died while nobody used them; *new* was lent then."""
    found = []
    while target.found_dead:
        event = target.found_dead.pop()
        facts = connection_facts(
            target,
            event.connection,
            event.used_at,
            label=Label.NOT_EXECUTED,
            phase=Phase.IDLE,
        )
        facts = replace(
            facts,
            done=Done.DISCARDED,
            successor=None if new is None else successor_of(event.connection, new),
        )
        found.append(Restored(target.name, alias, diagnose(facts)))
    return found


def successor_of(lost: DriverConnection, new: DriverConnection) -> Successor:
    """Describe the connection that took the place of the *lost* one."""
    apart = new.opened_at - lost.opened_at
    return Successor(
        server_thread_id=new.session_number, older=apart < 0, at_once=abs(apart) < _AT_ONCE
    )


def other_user_of(connection: DriverConnection) -> str:
    """Return the name of another thread or greenlet whose exchange is under way on *connection*.

    Empty for none. By what the driver wrote down: to look into the frames of a thread that runs
    can crash the interpreter.
    """
    user = connection.used_by
    if not connection.broken or user in (0, threading.get_ident()):
        return ""
    for thread in threading.enumerate():
        if thread.ident == user:
            return thread.name
    return _greenlet_of(user)


def goes_on_below(connection: DriverConnection) -> bool:
    """Whether this very thread is in the middle of an exchange on *connection*, which goes on.

    So it is in a signal handler, or in a finalizer, that came between two steps of it.
    """
    return any(frame.f_locals.get("self") is connection for frame in _frames())


def goes_on_in(wrapper: object, steps: Container[str]) -> bool:
    """The same of one of these methods of *wrapper*."""
    return any(
        frame.f_code.co_name in steps and frame.f_locals.get("self") is wrapper
        for frame in _frames()
    )


def has_turn_below(wrapper: object, turns: Container[str]) -> bool:
    """Whether this very thread is in one of these functions, which has a hold of *wrapper*'s."""
    return any(
        frame.f_code.co_name in turns
        and "hold" in (names := frame.f_locals)
        and wrapper in (names.get("self"), names.get("db"))
        for frame in _frames()
    )


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _greenlet_of(ident: int) -> str:
    """Return the name of a living greenlet: only the garbage collector knows them all."""
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return ""
    for each in gc.get_objects():
        # By type(): isinstance() would ask lazy objects for their class, which wakes them up.
        if id(each) == ident and issubclass(type(each), greenlet.greenlet) and not each.dead:
            return str(getattr(each, "name", "a greenlet"))
    return ""


def _code(error: BaseException | None, sight: Sight | None) -> int | None:
    code: Any = error.args[0] if error is not None and error.args else None
    if error is None and sight is not None:
        code = sight.code
    return code if isinstance(code, int) else None


def _elapsed(own: float, tcp: TcpFacts | None) -> float:
    # What was sent last is the statement or its last part; but sent again counts as sent.
    return own if tcp is None or tcp.retransmits else min(own, tcp.last_sent)


def _closed_here(
    connection: DriverConnection,
    sight: Sight | None,
    before: bool,
    own: float,
    tcp: TcpFacts | None,
) -> bool:
    if connection.ended_for or connection.broken:
        return False
    if tcp is not None and tcp.ended_here:
        return True
    if before and connection.closed and sight is None:
        # What the pool found dead it has closed since, too, but only after a look.
        return True
    if before:
        return False
    # Sending failed, though the kernel has nothing against it: the driver's descriptor is gone.
    never_sent = tcp is not None and tcp.last_sent > own + _FOREIGN
    return never_sent and tcp is not None and tcp.state == "ESTABLISHED"


def _sent_later(facts: LossFacts, used_at: float) -> bool:
    """Whether data left through the socket later than this process sent any."""
    return facts.tcp is not None and clock.monotonic() - used_at - facts.tcp.last_sent > _FOREIGN


def _goes_unanswered(tcp: TcpFacts | None) -> bool:
    """Whether the last that was sent has no answer, though all that this process sent had one.

    COM_QUIT has none, so this is a goodbye that somebody else said. No exchange is under way.
    """
    return tcp is not None and tcp.last_sent < tcp.last_received


def _sharers(facts: LossFacts, connection: DriverConnection) -> tuple[int, ...]:
    """Return the children that have the socket too, unless the server gave another reason."""
    if facts.code is not None and facts.code not in _CLIENTS_NUMBERS:
        return ()
    return kin.sharers(connection.channel.fd)


def _broken_tls(error: BaseException | None) -> str:
    """Return what libmariadb says of TLS that broke; empty where the connection only ended."""
    if _code(error, None) != CR_SSL_CONNECTION_ERROR or error is None:
        return ""
    text = str(error.args[-1]).rpartition("error: ")[2]
    return f"SSL: {text}" if _TLS_WORDS.search(text) else ""


def _own_wait_timeout(settings: tuple[Setting, ...]) -> float | None:
    found = [_WAIT_TIMEOUT.search(setting.sql) for setting in settings]
    values = [float(match[1]) for match in found if match]
    return values[-1] if values else None
