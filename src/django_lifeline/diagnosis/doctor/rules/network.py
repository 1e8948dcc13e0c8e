"""The way to the server: waiting without end, and what is readable on it."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts, Settings
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE
from django_lifeline.diagnosis.saying import Joined, lines, say
from django_lifeline.diagnosis.text import N_

CONNECT_SECONDS = 10
READ_SECONDS = 60


@rule(
    "D501",
    N_("Connecting may wait without end"),
    N_(
        "When the server's machine is gone, or a firewall drops the packets, a worker hangs in "
        "connecting, and soon all workers do."
    ),
)
def no_connect_timeout(facts: Facts) -> Found | None:
    """mysqlclient with the stock engine, and no connect_timeout; the others have one of 10 s."""
    settings = facts.settings
    if settings.ours or not settings.driver.in_c or settings.connect_timeout:
        return None
    return Found(
        _by_way(settings),
        say(
            N_(
                "OPTIONS has no connect_timeout, and mysqlclient's own is the operating system's, "
                "minutes."
            )
        ),
        f'"OPTIONS": {{"connect_timeout": {CONNECT_SECONDS}}},',
        {"connect_timeout": None},
    )


@rule(
    "D502",
    N_("Reading an answer may wait without end"),
    N_(
        "On a half-open connection (a cable, a firewall or a virtual machine gone without a word) "
        "a statement or a ping of CONN_HEALTH_CHECKS waits for ever, and the worker with it."
    ),
)
def no_read_timeout(facts: Facts) -> Found | None:
    """No read_timeout. This package's engine bounds its own pings and has the kernel watch."""
    settings = facts.settings
    missing = [
        name for name in ("read_timeout", "write_timeout") if getattr(settings, name) is None
    ]
    watched = settings.ours and settings.lifeline.tcp_user_timeout is not None
    if not missing or (settings.ours and settings.local):
        return None
    but = N_(" TCP keepalive ends a dead connection; a server that hangs is waited for.")
    options = ", ".join(f'"{name}": {READ_SECONDS}' for name in missing)
    change = [noted(f'"OPTIONS": {{{options}}},', N_("longer than your longest query"))]
    if not settings.ours:
        change.append(noted(OUR_ENGINE, N_("bounds its pings, and has TCP watch")))
    names = Joined(tuple(missing), N_(" and no "))
    told = say(N_("OPTIONS has no {names}."), names=names)
    return Found(
        Level.INFO if watched else _by_way(settings),
        Joined((told, say(but) if watched else "")),
        lines(*change),
        dict.fromkeys(missing),
    )


@rule(
    "D503",
    N_("The connection is not encrypted"),
    N_(
        "Everybody on the way reads rows and changes statements; a wrong machine that answers at "
        "this address is not noticed."
    ),
)
def no_tls(facts: Facts) -> Found | None:
    """A session without TLS that leaves this machine."""
    settings = facts.settings
    if settings.local or facts.server is None or facts.server.tls:
        return None
    change = (
        '"OPTIONS": {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": "/path/to/ca.pem"}},'
        if settings.driver.in_c
        else '"OPTIONS": {"ssl": {"ca": "/path/to/ca.pem"}},'
    )
    return Found(
        Level.WARNING,
        say(N_("The session to {address} has no TLS."), address=settings.address),
        change,
        {"address": settings.address, "tls": False},
    )


def _by_way(settings: Settings) -> Level:
    """On one machine nothing gets lost between the two ends."""
    return Level.INFO if settings.local else Level.WARNING


RULES = (no_read_timeout, no_connect_timeout, no_tls)
