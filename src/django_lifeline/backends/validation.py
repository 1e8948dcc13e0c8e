"""What is wrong, or without effect, in the settings of one database: Django's check messages.

``check --database`` and ``migrate`` ask the backend, so no app is needed to be told. With the
app installed, every ``check`` tells what can be said without the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.mysql import validation as stock

from django_lifeline.backends.borrowing import Borrowing
from django_lifeline.core.options import PoolOptions

APP = "django_lifeline"
OLDEST_MYSQLCLIENT = (2, 2, 1)
OLDEST_PYMYSQL = (1, 1, 3)


class DatabaseValidation(stock.DatabaseValidation):
    """Django's, and the checks of this package."""

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return the messages for this database; it is asked about itself."""
        found = [] if apps.is_installed(APP) else list(settings_messages(self.connection))
        if any(message.level >= checks.ERROR for message in found):
            return found
        return [*super().check(**kwargs), *found, *server_messages(self.connection)]


def settings_messages(wrapper: Borrowing) -> Iterator[checks.CheckMessage]:
    """Return what the settings alone tell; no database is asked."""
    try:
        pooled = bool(wrapper.target.pooled)
    except ImproperlyConfigured as error:
        yield _message(checks.Error, "E001", str(error), "Correct the option.")
        return
    name, settings = f"DATABASES[{wrapper.alias!r}]", wrapper.settings_dict
    if pooled and settings["CONN_MAX_AGE"] != 0:
        yield _message(
            checks.Warning,
            "W001",
            f"{name}: CONN_MAX_AGE has no effect with the pool.",
            "Remove it. OPTIONS['pool']['max_lifetime'] limits a connection's age, also outside "
            "requests.",
        )
    if settings["CONN_HEALTH_CHECKS"]:
        yield _message(
            checks.Warning,
            "W002",
            f"{name}: CONN_HEALTH_CHECKS has no effect.",
            "Remove it. Every statement is preceded by a check that costs no round trip.",
        )
    yield from _driver_messages(wrapper)
    if not settings["AUTOCOMMIT"]:
        yield _message(
            checks.Warning,
            "W005",
            f"{name}: AUTOCOMMIT is off, so that only the first statement of each transaction "
            "survives the loss of its connection.",
            "Leave AUTOCOMMIT on and use transaction.atomic() where a transaction is needed.",
        )


def _driver_messages(wrapper: Borrowing) -> Iterator[checks.CheckMessage]:
    driver = wrapper.Database
    pymysql = driver.__name__ == "pymysql"
    # PyMySQL's version_info is that of the mysqlclient it stands in for.
    version = tuple(driver.VERSION[:3] if pymysql else driver.version_info[:3])
    oldest = OLDEST_PYMYSQL if pymysql else OLDEST_MYSQLCLIENT
    if version < oldest:
        package, number = ("PyMySQL", "W003") if pymysql else ("mysqlclient", "W004")
        needed = ".".join(map(str, oldest))
        yield _message(
            checks.Warning,
            number,
            f"{package} {'.'.join(map(str, version))} is older than {needed}, the oldest that "
            "this engine is tested with.",
            f"pip install '{package}>={needed}'",
        )


def server_messages(wrapper: Borrowing) -> Iterator[checks.CheckMessage]:
    """Return what the settings and the server's own variables tell together."""
    pool = getattr(wrapper.pool, "options", None)
    wrapper.mysql_server_data  # noqa: B018 - read from the server, unless it is known already
    facts = wrapper.target.facts
    if not isinstance(pool, PoolOptions) or pool.max_idle is None or facts is None:
        return
    if pool.max_idle > facts.wait_timeout:
        yield _message(
            checks.Warning,
            "W006",
            f"DATABASES[{wrapper.alias!r}]: the server ends a session after {facts.wait_timeout:g} "
            f"s without a statement (wait_timeout), before the pool does after {pool.max_idle:g} s "
            "(OPTIONS['pool']['max_idle']).",
            "Remove 'max_idle': its default follows the server.",
        )


def _message(
    kind: type[checks.CheckMessage], number: str, text: str, hint: str
) -> checks.CheckMessage:
    anchor = f"docs/checks.md#lifeline-{number.lower()}"
    return kind(text, hint=f"{hint} ({anchor})", id=f"lifeline.{number}")
