"""What has no effect, or is wrong, in the settings of this package's engine."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Found, Level, rule
from django_lifeline.diagnosis.saying import say
from django_lifeline.diagnosis.text import N_

OLDEST_MYSQLCLIENT = (2, 2, 1)
OLDEST_PYMYSQL = (1, 1, 3)


@rule("E001", N_("An option is wrong"), N_("No connection can be made."))
def wrong_option(facts: Facts) -> Found | None:
    """OPTIONS["pool"] or OPTIONS["lifeline"] cannot be read."""
    error = facts.settings.option_error
    return Found(Level.ERROR, error, say(N_("Correct the option."))) if error else None


@rule(
    "W001",
    N_("CONN_MAX_AGE has no effect"),
    N_("Whoever reads the settings believes that connections are closed by it."),
)
def max_age_without_effect(facts: Facts) -> Found | None:
    """CONN_MAX_AGE beside a pool with a limit; without one a thread's own is kept by it."""
    settings = facts.settings
    if settings.pool is None or settings.pool.max_overflow is None or settings.conn_max_age == 0:
        return None
    return Found(
        Level.WARNING,
        say(N_("CONN_MAX_AGE has no effect with the pool.")),
        say(
            N_(
                "Remove it. OPTIONS['pool']['max_lifetime'] limits a connection's age, also "
                "outside requests."
            )
        ),
        {"CONN_MAX_AGE": settings.conn_max_age},
    )


@rule(
    "W002",
    N_("CONN_HEALTH_CHECKS has no effect"),
    N_("Whoever reads the settings believes that connections are checked by it."),
)
def health_checks_without_effect(facts: Facts) -> Found | None:
    """CONN_HEALTH_CHECKS with this engine."""
    settings = facts.settings
    if not settings.ours or settings.option_error or not settings.health_checks:
        return None
    return Found(
        Level.WARNING,
        say(N_("CONN_HEALTH_CHECKS has no effect.")),
        say(N_("Remove it. Every statement is preceded by a check that costs no round trip.")),
    )


@rule("W003", N_("PyMySQL is older than tested"), N_("What it does at a loss is not known."))
def old_pymysql(facts: Facts) -> Found | None:
    """PyMySQL below the oldest that this engine is tested with."""
    return _old_driver(facts, "PyMySQL", OLDEST_PYMYSQL)


@rule("W004", N_("mysqlclient is older than tested"), N_("What it does at a loss is not known."))
def old_mysqlclient(facts: Facts) -> Found | None:
    """The same for mysqlclient."""
    return _old_driver(facts, "mysqlclient", OLDEST_MYSQLCLIENT)


@rule(
    "W005",
    N_("AUTOCOMMIT is off"),
    N_(
        "Every statement is part of a transaction, which nothing can carry over to another "
        "connection."
    ),
)
def autocommit_off(facts: Facts) -> Found | None:
    """AUTOCOMMIT: False with this engine."""
    settings = facts.settings
    if not settings.ours or settings.option_error or settings.autocommit:
        return None
    return Found(
        Level.WARNING,
        say(
            N_(
                "AUTOCOMMIT is off, so that only the first statement of each transaction survives "
                "the loss of its connection."
            )
        ),
        say(N_("Leave AUTOCOMMIT on and use transaction.atomic() where a transaction is needed.")),
    )


@rule(
    "W006",
    N_("max_idle is longer than wait_timeout"),
    N_(
        "Nothing fails by it, since dead connections are replaced before the next statement, but "
        "each costs a new connection."
    ),
)
def max_idle_over_wait_timeout(facts: Facts) -> Found | None:
    """OPTIONS["pool"]["max_idle"] above the session's wait_timeout."""
    pool = facts.settings.pool
    wait = facts.server.number("wait_timeout") if facts.server else None
    if pool is None or pool.max_idle is None or wait is None or pool.max_idle <= wait:
        return None
    return Found(
        Level.WARNING,
        say(
            N_(
                "the server ends a session after {wait} s without a statement (wait_timeout), "
                "before the pool does after {idle} s (OPTIONS['pool']['max_idle'])."
            ),
            wait=wait,
            idle=f"{pool.max_idle:g}",
        ),
        say(N_("Remove 'max_idle': its default follows the server.")),
        {"wait_timeout": wait, "max_idle": pool.max_idle},
    )


def _old_driver(facts: Facts, package: str, oldest: tuple[int, ...]) -> Found | None:
    settings, driver = facts.settings, facts.settings.driver
    if not settings.ours or settings.option_error:
        return None
    if driver.name != package or driver.version >= oldest:
        return None
    version, needed = (".".join(map(str, numbers)) for numbers in (driver.version, oldest))
    return Found(
        Level.WARNING,
        say(
            N_(
                "{package} {version} is older than {needed}, the oldest that this engine is tested "
                "with."
            ),
            package=package,
            version=version,
            needed=needed,
        ),
        f"pip install '{package}>={needed}'",
        {package: version, "needed": needed},
    )


RULES = (
    wrong_option,
    autocommit_off,
    old_pymysql,
    old_mysqlclient,
    max_idle_over_wait_timeout,
    max_age_without_effect,
    health_checks_without_effect,
)
