"""Workers, forks and drivers that do not go together."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts, Service
from django_lifeline.diagnosis.doctor.finding import Found, Level, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE

PING_KEEPS_SESSION = (1, 2, 0)
"""The first PyMySQL whose ping() does not reconnect by itself."""
OLDEST_TESTED = (1, 1, 3)


@rule(
    "D301",
    "Greenlets with the stock engine",
    "Each greenlet has a connection of its own. There is no upper bound but the worker's, and with "
    "CONN_MAX_AGE the connections of greenlets that ended stay open until they are collected: the "
    "server answers 1040.",
)
def greenlets_with_stock(facts: Facts) -> Found | None:
    """A gevent or eventlet worker, and the stock engine."""
    settings, service = facts.settings, _with_hub(facts)
    if service is None or settings.ours:
        return None
    kept = settings.persistent
    many = f"up to {service.greenlets}" if service.greenlets else "any number of"
    return Found(
        Level.ERROR if kept else Level.WARNING,
        f"{service.kind} runs {many} greenlets in each process ({service.hub}), each with a "
        + ("connection of its own that is kept (CONN_MAX_AGE)." if kept else "connection."),
        f'{OUR_ENGINE}\n"OPTIONS": {{"pool": {{"max_size": 10}}}},  # shared by all greenlets'
        + ('\n# at least, with the stock engine:\n"CONN_MAX_AGE": 0,' if kept else ""),
        {"greenlets": service.greenlets, "CONN_MAX_AGE": settings.conn_max_age},
    )


@rule(
    "D302",
    "A driver in C stalls the hub",
    "mysqlclient waits for the server inside C, where the hub cannot switch: while one query runs, "
    "no other greenlet of the process does anything, and a slow query looks like an outage.",
)
def c_driver_stalls_hub(facts: Facts) -> Found | None:
    """Greenlets and mysqlclient, without an engine that waits for it."""
    settings, service = facts.settings, _with_hub(facts)
    if service is None or not settings.driver.in_c:
        return None
    if settings.ours and service.hub == "gevent":
        return None
    ways = [] if settings.ours else [f"{OUR_ENGINE}  # waits for mysqlclient through gevent"]
    if service.hub != "gevent":
        ways.append(f"# gevent instead of {service.hub}")
    return Found(
        Level.WARNING,
        f"{service.kind} uses {service.hub}, and the driver is mysqlclient.",
        "\n".join(ways)
        + "\n# or a driver in Python, in the settings module:\n"
        + "import pymysql; pymysql.install_as_MySQLdb()",
        {"hub": service.hub, "driver": settings.driver.name},
    )


@rule(
    "D303",
    "PyMySQL is too old for the stock engine",
    "Before 1.2 its ping() reconnects by itself. Django's health check calls it, and then works in "
    "a session without Django's settings, such as the isolation level.",
)
def old_pymysql(facts: Facts) -> Found | None:
    """The stock engine and a PyMySQL whose ping() hides a loss, or that nobody tests any more."""
    settings, driver = facts.settings, facts.settings.driver
    if settings.ours or driver.name != "PyMySQL":
        return None
    oldest = PING_KEEPS_SESSION if settings.health_checks else OLDEST_TESTED
    if driver.version >= oldest:
        return None
    return Found(
        Level.WARNING,
        f"PyMySQL is {_dotted(driver.version)}"
        + (", and CONN_HEALTH_CHECKS calls its ping()." if settings.health_checks else "."),
        f"pip install 'PyMySQL>={_dotted(PING_KEEPS_SESSION)}'",
        {"PyMySQL": _dotted(driver.version), "needed": _dotted(oldest)},
    )


@rule(
    "D304",
    "Workers are forked after the application was loaded",
    "A connection that is open at that moment (a query at import, in AppConfig.ready() or in a "
    "hook) is one socket in all workers: they read each other's answers, and the first that closes "
    "it ends it for all.",
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
            "and importing the project opens a connection."
            if early
            else "so nothing may query the database before that."
        )
        return Found(
            Level.ERROR if early else Level.INFO,
            f"{service.kind} loads the application before it forks ({service.source}), {told}",
            f"{OUR_ENGINE}  # leaves inherited connections to their parent\n"
            f"# or, with the stock engine: {_no_preload(service)}",
            {"preload": True, "open_at_startup": early},
        )
    return None


def _no_preload(service: Service) -> str:
    if service.kind == "uWSGI":
        return "lazy-apps = true"
    return "preload_app = False, or connections.close_all() in post_fork"


def _with_hub(facts: Facts) -> Service | None:
    services = facts.layout.services if facts.layout else ()
    return next((service for service in services if service.hub), None)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


RULES = (preload_with_early_query, greenlets_with_stock, c_driver_stalls_hub, old_pymysql)
