"""How long a connection is kept, and how long the server keeps its end."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Found, Level, rule

DEFAULT_WAIT_TIMEOUT = 28800
LARGEST_WAIT_TIMEOUT = 31536000
"""The server takes no more and cuts larger values down to it."""
SHORT = 600
VERY_SHORT = 60
DAY = 86400
OUR_ENGINE = '"ENGINE": "django_lifeline.backends.mysql",'


@rule(
    "D101",
    "Persistent connections outlive wait_timeout",
    "The server ends a session that was idle for wait_timeout. Django keeps its end, and the first "
    "statement after the pause fails with 2006, 2013 or 4031.",
)
def persistent_over_wait_timeout(facts: Facts) -> Found | None:
    """Stock engine, CONN_MAX_AGE not below wait_timeout, and nothing that checks."""
    settings, server = facts.settings, facts.server
    wait = server.number("wait_timeout") if server else None
    if wait is None or not settings.persistent or settings.health_checks:
        return None
    age = settings.conn_max_age
    if age is not None and age < wait:
        return None
    kept = "for ever" if age is None else f"for {age:g} s"
    shorter = max(1, min(600, wait // 2))
    return Found(
        Level.ERROR if wait <= DAY else Level.WARNING,
        f"Django keeps each connection {kept} (CONN_MAX_AGE), the server ends it after {wait} s "
        f"without a statement ({_hours(wait)}wait_timeout), and nothing checks it in between.",
        f"{OUR_ENGINE}  # replaces a dead connection before each statement\n"
        "# or, with the stock engine, for work in requests only:\n"
        f'"CONN_MAX_AGE": {shorter},\n"CONN_HEALTH_CHECKS": True,',
        {"CONN_MAX_AGE": age, "wait_timeout": wait},
    )


@rule(
    "D102",
    "Nothing checks connections outside requests",
    "CONN_MAX_AGE and CONN_HEALTH_CHECKS act only when a request begins or ends. A scheduler's "
    "thread, a consumer or a management command keeps its connection for ever and meets the dead "
    "one with its first statement after a pause; every later statement fails too.",
)
def unchecked_outside_requests(facts: Facts) -> Found | None:
    """Stock engine: always so; it matters where work outside requests is known or pauses hurt."""
    settings = facts.settings
    if settings.ours:
        return None
    wait = facts.server.number("wait_timeout") if facts.server else None
    outside = facts.project.outside_requests if facts.project else ()
    services = facts.layout.services if facts.layout else ()
    workers = tuple(service.kind for service in services if service.kind == "Celery")
    known = (*outside, *workers)
    short = wait is not None and wait <= SHORT
    who = f" This project has such work: {', '.join(known)}." if known else ""
    limit = f" The server's limit is {wait} s." if wait is not None else ""
    return Found(
        Level.WARNING if known or short else Level.INFO,
        "With the stock engine a connection that is used outside requests is neither checked nor "
        f"closed, whatever CONN_MAX_AGE and CONN_HEALTH_CHECKS say.{who}{limit}",
        f"{OUR_ENGINE}  # checks before each statement, everywhere\n"
        "# or, with the stock engine, before and after each piece of work:\n"
        "django.db.close_old_connections()",
        {"wait_timeout": wait, "outside_requests": list(known)},
    )


@rule(
    "D103",
    "The server ends idle sessions within seconds",
    "A pause of that length in the middle of a request or a task is enough to lose the connection, "
    "for instance while another service answers.",
)
def very_short_wait_timeout(facts: Facts) -> Found | None:
    """wait_timeout below a minute."""
    wait = facts.server.number("wait_timeout") if facts.server else None
    if wait is None or wait >= VERY_SHORT:
        return None
    ours = facts.settings.ours
    return Found(
        Level.INFO if ours else Level.WARNING,
        f"wait_timeout is {wait} s for this session.",
        "SET GLOBAL wait_timeout = 600;" + ("" if ours else f"\n# and for the rest:\n{OUR_ENGINE}"),
        {"wait_timeout": wait},
    )


@rule(
    "D104",
    "wait_timeout was raised as a cure",
    "It only makes the loss rarer: restarts, KILL, proxies and firewalls still end connections. In "
    "exchange each client that vanished (a crashed worker, a cut network) keeps its session, its "
    "locks and its place under max_connections for that long, until the server is full.",
)
def raised_wait_timeout(facts: Facts) -> Found | None:
    """wait_timeout above the server's default of eight hours."""
    server = facts.server
    wait = server.number("wait_timeout") if server else None
    if server is None or wait is None or wait <= DEFAULT_WAIT_TIMEOUT:
        return None
    own = "wait_timeout" in facts.settings.init_sets
    clamped = (
        f" That is the most the server takes: larger values, such as 32140800, become {wait}."
        if wait == LARGEST_WAIT_TIMEOUT
        else ""
    )
    change = (
        "# take wait_timeout out of OPTIONS['init_command']"
        if own
        else f"SET GLOBAL wait_timeout = {DEFAULT_WAIT_TIMEOUT};  # and the same in the server's "
        "configuration file"
    )
    engine = "" if facts.settings.ours else f"\n{OUR_ENGINE}  # cures what it was raised for"
    return Found(
        Level.WARNING,
        f"wait_timeout is {wait} s ({_hours(wait)}the default is {DEFAULT_WAIT_TIMEOUT} s)"
        f"{', set by init_command' if own else ''}.{clamped}",
        change + engine,
        {"wait_timeout": wait, "default": DEFAULT_WAIT_TIMEOUT, "from_init_command": own},
    )


@rule(
    "D105",
    "Only one of wait_timeout and interactive_timeout counts",
    "Changing the other one has no effect, which is how evenings are lost.",
)
def two_timeouts(facts: Facts) -> Found | None:
    """The two differ; say which one this client gets."""
    server = facts.server
    wait = server.number("wait_timeout", everywhere=True) if server else None
    interactive = server.number("interactive_timeout", everywhere=True) if server else None
    if wait is None or interactive is None or wait == interactive:
        return None
    counts = "interactive_timeout" if facts.settings.interactive else "wait_timeout"
    value = interactive if facts.settings.interactive else wait
    return Found(
        Level.INFO,
        f"wait_timeout is {wait} s, interactive_timeout {interactive} s; for this client "
        f"{counts} counts.",
        f"SET GLOBAL wait_timeout = {value}, GLOBAL interactive_timeout = {value};",
        {"wait_timeout": wait, "interactive_timeout": interactive, "counts": counts},
    )


def _hours(seconds: int) -> str:
    if seconds < 2 * 3600:
        return ""
    return f"{seconds / 3600:g} hours; " if seconds < 2 * DAY else f"{seconds / DAY:g} days; "


RULES = (
    persistent_over_wait_timeout,
    raised_wait_timeout,
    very_short_wait_timeout,
    unchecked_outside_requests,
    two_timeouts,
)
