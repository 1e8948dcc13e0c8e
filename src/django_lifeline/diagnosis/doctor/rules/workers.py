"""Workers, forks and drivers that do not go together."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts, Service
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE
from django_lifeline.diagnosis.saying import Sayable, lines, say
from django_lifeline.diagnosis.text import N_

PING_KEEPS_SESSION = (1, 2, 0)
"""The first PyMySQL whose ping() does not reconnect by itself."""
OLDEST_TESTED = (1, 1, 3)


@rule(
    "D301",
    N_("Greenlets with the stock engine"),
    N_(
        "Each greenlet has a connection of its own. There is no upper bound but the worker's, and "
        "with CONN_MAX_AGE the connections of greenlets that ended stay open until they are "
        "collected: the server answers 1040."
    ),
)
def greenlets_with_stock(facts: Facts) -> Found | None:
    """A gevent or eventlet worker, and the stock engine."""
    settings, service = facts.settings, _with_hub(facts)
    if service is None or settings.ours:
        return None
    kept = settings.persistent
    many = (
        say(N_("up to {count}"), count=service.greenlets)
        if service.greenlets
        else say(N_("any number of"))
    )
    told = (
        N_(
            "{kind} runs {many} greenlets in each process ({hub}), each with a connection of its "
            "own that is kept (CONN_MAX_AGE)."
        )
        if kept
        else N_("{kind} runs {many} greenlets in each process ({hub}), each with a connection.")
    )
    at_least = (remark(N_("at least, with the stock engine:")), '"CONN_MAX_AGE": 0,')
    return Found(
        Level.ERROR if kept else Level.WARNING,
        say(told, kind=say(service.kind), many=many, hub=service.hub),
        lines(
            OUR_ENGINE,
            noted('"OPTIONS": {"pool": {"max_size": 10}},', N_("shared by all greenlets")),
            *(at_least if kept else ()),
        ),
        {"greenlets": service.greenlets, "CONN_MAX_AGE": settings.conn_max_age},
    )


@rule(
    "D302",
    N_("A driver in C stalls the hub"),
    N_(
        "mysqlclient waits for the server inside C, where the hub cannot switch: while one query "
        "runs, no other greenlet of the process does anything, and a slow query looks like an "
        "outage."
    ),
)
def c_driver_stalls_hub(facts: Facts) -> Found | None:
    """Greenlets and mysqlclient, without an engine that waits for it."""
    settings, service = facts.settings, _with_hub(facts)
    if service is None or not settings.driver.in_c:
        return None
    if settings.ours and service.hub == "gevent":
        return None
    ways = []
    if not settings.ours:
        ways.append(noted(OUR_ENGINE, N_("waits for mysqlclient through gevent")))
    if service.hub != "gevent":
        ways.append(remark(N_("gevent instead of {hub}"), hub=service.hub))
    return Found(
        Level.WARNING,
        say(
            N_("{kind} uses {hub}, and the driver is mysqlclient."),
            kind=say(service.kind),
            hub=service.hub,
        ),
        lines(
            *ways,
            remark(N_("or a driver in Python, in the settings module:")),
            "import pymysql; pymysql.install_as_MySQLdb()",
        ),
        {"hub": service.hub, "driver": settings.driver.name},
    )


@rule(
    "D303",
    N_("PyMySQL is too old for the stock engine"),
    N_(
        "Before 1.2 its ping() reconnects by itself. Django's health check calls it, and then "
        "works in a session without Django's settings, such as the isolation level."
    ),
)
def old_pymysql(facts: Facts) -> Found | None:
    """The stock engine and a PyMySQL whose ping() hides a loss, or that nobody tests any more."""
    settings, driver = facts.settings, facts.settings.driver
    if settings.ours or driver.name != "PyMySQL":
        return None
    oldest = PING_KEEPS_SESSION if settings.health_checks else OLDEST_TESTED
    if driver.version >= oldest:
        return None
    told = (
        N_("PyMySQL is {version}, and CONN_HEALTH_CHECKS calls its ping().")
        if settings.health_checks
        else N_("PyMySQL is {version}.")
    )
    return Found(
        Level.WARNING,
        say(told, version=_dotted(driver.version)),
        f"pip install 'PyMySQL>={_dotted(PING_KEEPS_SESSION)}'",
        {"PyMySQL": _dotted(driver.version), "needed": _dotted(oldest)},
    )


@rule(
    "D304",
    N_("Workers are forked after the application was loaded"),
    N_(
        "A connection that is open at that moment (a query at import, in AppConfig.ready() or in a "
        "hook) is one socket in all workers: they read each other's answers, and the first that "
        "closes it ends it for all."
    ),
)
def preload_with_early_query(facts: Facts) -> Found | None:
    """Preloading and the stock engine; harm is certain where a connection was open at start-up."""
    if facts.settings.ours or facts.layout is None:
        return None
    early = bool(facts.project and facts.project.open_at_startup)
    for service in facts.layout.services:
        if not service.preload:
            continue
        told = (
            N_(
                "{kind} loads the application before it forks ({source}), and importing the "
                "project opens a connection."
            )
            if early
            else N_(
                "{kind} loads the application before it forks ({source}), so nothing may query the "
                "database before that."
            )
        )
        instead = N_("or, with the stock engine: {change}")
        return Found(
            Level.ERROR if early else Level.INFO,
            say(told, kind=say(service.kind), source=say(service.source)),
            lines(
                noted(OUR_ENGINE, N_("leaves inherited connections to their parent")),
                remark(instead, change=_no_preload(service)),
            ),
            {"preload": True, "open_at_startup": early},
        )
    return None


def _no_preload(service: Service) -> Sayable:
    if service.kind == "uWSGI":
        return "lazy-apps = true"
    return say(N_("preload_app = False, or connections.close_all() in post_fork"))


def _with_hub(facts: Facts) -> Service | None:
    services = facts.layout.services if facts.layout else ()
    return next((service for service in services if service.hub), None)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


RULES = (preload_with_early_query, greenlets_with_stock, c_driver_stalls_hub, old_pymysql)
