"""How long a connection is kept, and how long the server keeps its end."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.saying import Joined, Said, Sayable, lines, listed, say
from django_lifeline.diagnosis.text import N_

DEFAULT_WAIT_TIMEOUT = 28800
LARGEST_WAIT_TIMEOUT = 31536000
"""The server takes no more and cuts larger values down to it."""
SHORT = 600
VERY_SHORT = 60
DAY = 86400
OUR_ENGINE = '"ENGINE": "django_lifeline.backends.mysql",'


@rule(
    "D101",
    N_("Persistent connections outlive wait_timeout"),
    N_(
        "The server ends a session that was idle for wait_timeout. Django keeps its end, and the "
        "first statement after the pause fails with 2006, 2013 or 4031."
    ),
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
    kept = say(N_("for ever")) if age is None else say(N_("for {span} s"), span=f"{age:g}")
    shorter = max(1, min(600, wait // 2))
    return Found(
        Level.ERROR if wait <= DAY else Level.WARNING,
        say(
            N_(
                "Django keeps each connection {kept} (CONN_MAX_AGE), the server ends it after "
                "{wait} s without a statement ({hours}wait_timeout), and nothing checks it in "
                "between."
            ),
            kept=kept,
            wait=wait,
            hours=_hours(wait),
        ),
        lines(
            noted(OUR_ENGINE, N_("replaces a dead connection before each statement")),
            remark(N_("or, with the stock engine, for work in requests only:")),
            f'"CONN_MAX_AGE": {shorter},',
            '"CONN_HEALTH_CHECKS": True,',
        ),
        {"CONN_MAX_AGE": age, "wait_timeout": wait},
    )


@rule(
    "D102",
    N_("Nothing checks connections outside requests"),
    N_(
        "CONN_MAX_AGE and CONN_HEALTH_CHECKS act only when a request begins or ends. A scheduler's "
        "thread, a consumer or a management command keeps its connection for ever and meets the "
        "dead one with its first statement after a pause; every later statement fails too."
    ),
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
    told: list[Sayable] = [
        say(
            N_(
                "With the stock engine a connection that is used outside requests is neither "
                "checked nor closed, whatever CONN_MAX_AGE and CONN_HEALTH_CHECKS say."
            )
        )
    ]
    if known:
        told.append(say(N_(" This project has such work: {work}."), work=listed(known)))
    if wait is not None:
        told.append(say(N_(" The server's limit is {wait} s."), wait=wait))
    return Found(
        Level.WARNING if known or short else Level.INFO,
        Joined(tuple(told)),
        lines(
            noted(OUR_ENGINE, N_("checks before each statement, everywhere")),
            remark(N_("or, with the stock engine, before and after each piece of work:")),
            "django.db.close_old_connections()",
        ),
        {"wait_timeout": wait, "outside_requests": list(known)},
    )


@rule(
    "D103",
    N_("The server ends idle sessions within seconds"),
    N_(
        "A pause of that length in the middle of a request or a task is enough to lose the "
        "connection, for instance while another service answers."
    ),
)
def very_short_wait_timeout(facts: Facts) -> Found | None:
    """wait_timeout below a minute."""
    wait = facts.server.number("wait_timeout") if facts.server else None
    if wait is None or wait >= VERY_SHORT:
        return None
    ours = facts.settings.ours
    engine = () if ours else (remark(N_("and for the rest:")), OUR_ENGINE)
    return Found(
        Level.INFO if ours else Level.WARNING,
        say(N_("wait_timeout is {wait} s for this session."), wait=wait),
        lines("SET GLOBAL wait_timeout = 600;", *engine),
        {"wait_timeout": wait},
    )


@rule(
    "D104",
    N_("wait_timeout was raised as a cure"),
    N_(
        "It only makes the loss rarer: restarts, KILL, proxies and firewalls still end "
        "connections. In exchange each client that vanished (a crashed worker, a cut network) "
        "keeps its session, its locks and its place under max_connections for that long, until the "
        "server is full."
    ),
)
def raised_wait_timeout(facts: Facts) -> Found | None:
    """wait_timeout above the server's default of eight hours."""
    server = facts.server
    wait = server.number("wait_timeout") if server else None
    if server is None or wait is None or wait <= DEFAULT_WAIT_TIMEOUT:
        return None
    own = "wait_timeout" in facts.settings.init_sets
    change = [
        remark(N_("take wait_timeout out of OPTIONS['init_command']"))
        if own
        else noted(
            f"SET GLOBAL wait_timeout = {DEFAULT_WAIT_TIMEOUT};",
            N_("and the same in the server's configuration file"),
        )
    ]
    if not facts.settings.ours:
        change.append(noted(OUR_ENGINE, N_("cures what it was raised for")))
    return Found(
        Level.WARNING,
        _raised_to(wait, own=own),
        lines(*change),
        {"wait_timeout": wait, "default": DEFAULT_WAIT_TIMEOUT, "from_init_command": own},
    )


@rule(
    "D105",
    N_("Only one of wait_timeout and interactive_timeout counts"),
    N_("Changing the other one has no effect, which is how evenings are lost."),
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
        say(
            N_(
                "wait_timeout is {wait} s, interactive_timeout {interactive} s; for this client "
                "{counts} counts."
            ),
            wait=wait,
            interactive=interactive,
            counts=counts,
        ),
        f"SET GLOBAL wait_timeout = {value}, GLOBAL interactive_timeout = {value};",
        {"wait_timeout": wait, "interactive_timeout": interactive, "counts": counts},
    )


def _raised_to(wait: int, *, own: bool) -> Joined:
    told = (
        N_("wait_timeout is {wait} s ({hours}the default is {default} s), set by init_command.")
        if own
        else N_("wait_timeout is {wait} s ({hours}the default is {default} s).")
    )
    most = N_(" That is the most the server takes: larger values, such as 32140800, become {wait}.")
    return Joined(
        (
            say(told, wait=wait, hours=_hours(wait), default=DEFAULT_WAIT_TIMEOUT),
            say(most, wait=wait) if wait == LARGEST_WAIT_TIMEOUT else "",
        )
    )


def _hours(seconds: int) -> Said | str:
    if seconds < 2 * 3600:
        return ""
    if seconds < 2 * DAY:
        return say(N_("{count} hours; "), count=f"{seconds / 3600:g}")
    return say(N_("{count} days; "), count=f"{seconds / DAY:g}")


RULES = (
    persistent_over_wait_timeout,
    raised_wait_timeout,
    very_short_wait_timeout,
    unchecked_outside_requests,
    two_timeouts,
)
