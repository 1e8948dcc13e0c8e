"""The arms: the same program and settings, with stock Django's engine in three ways, and ours."""

from __future__ import annotations

from dataclasses import dataclass

STOCK_ENGINE = "django.db.backends.mysql"
LIFELINE_ENGINE = "django_lifeline.backends.mysql"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to set up ``DATABASES``; what is not named here is equal in all arms."""

    name: str
    title: str
    engine: str = STOCK_ENGINE
    conn_max_age: int | None = 0
    health_checks: bool = False

    def database(self, changes: dict[str, object]) -> dict[str, object]:
        """Return this arm's part of a ``DATABASES`` entry; ``changes`` are the scenario's."""
        entry: dict[str, object] = {"ENGINE": self.engine}
        if self.conn_max_age != 0:
            entry["CONN_MAX_AGE"] = self.conn_max_age
        if self.health_checks:
            entry["CONN_HEALTH_CHECKS"] = True
        if self.name != STOCK.name:  # plain stock stays what Django gives without any setting
            entry.update(changes)
        return entry


STOCK = Arm("stock", "Django, default")
PERSISTENT = Arm("stock-persistent", "Django, CONN_MAX_AGE = None", conn_max_age=None)
HEALTH = Arm(
    "stock-health",
    "Django, CONN_MAX_AGE = None, CONN_HEALTH_CHECKS",
    conn_max_age=None,
    health_checks=True,
)
LIFELINE = Arm("lifeline", "django-lifeline, ENGINE changed and nothing else", LIFELINE_ENGINE)

ARMS = {arm.name: arm for arm in (STOCK, PERSISTENT, HEALTH, LIFELINE)}
STOCK_ARMS = (STOCK.name, PERSISTENT.name, HEALTH.name)
DRIVERS = ("mysqlclient", "pymysql")
DRIVER_MODULES = {"mysqlclient": "MySQLdb", "pymysql": "pymysql"}
