"""Each rule, on facts where it must speak, at which level and with which words, or be silent."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from django_lifeline.core.effects import effect_of
from django_lifeline.core.options import LifelineOptions, PoolOptions
from django_lifeline.diagnosis.doctor.code import Kind, Pin, Remedy
from django_lifeline.diagnosis.doctor.facts import (
    Driver,
    Facts,
    Field,
    Layout,
    Project,
    Proxy,
    Server,
    Service,
    Settings,
    Stray,
    Unreachable,
)
from django_lifeline.diagnosis.doctor.finding import Level
from django_lifeline.diagnosis.doctor.rules import RULES, examine
from django_lifeline.diagnosis.doctor.settings import assigned
from django_lifeline.diagnosis.pages import address
from django_lifeline.diagnosis.saying import translator

INFO, WARNING, ERROR, CRITICAL = Level
BY_NUMBER = {rule.number: rule for rule in RULES}
SESSION = {
    "wait_timeout": "28800",
    "interactive_timeout": "28800",
    "max_allowed_packet": "67108864",
    "max_connections": "151",
    "max_user_connections": "0",
    "net_write_timeout": "60",
    "read_only": "OFF",
}
HEALTHY = Server(version="8.4.6", session=SESSION, globals=SESSION, account="app@10.%", tls=True)
TODAY = date(2026, 11, 21)
OURS = {"ours": True, "pool": PoolOptions(), "engine": "django_lifeline.backends.mysql"}
BOUNDED = {"connect_timeout": 10, "read_timeout": 30, "write_timeout": 30}
PYMYSQL = Driver(name="PyMySQL", version=(1, 2, 4))
TEXT = Field(name="shop.Item.notes", kind="TextField")
WEB = Service(kind="gunicorn", processes=4, threads=2)


def facts(
    *,
    project: Project | None = None,
    layout: Layout | None = None,
    beside: tuple[Settings, ...] = (),
    unreachable: Unreachable | None = None,
    server: Server | None = HEALTHY,
    **settings: Any,
) -> Facts:
    return Facts(
        settings=Settings(**settings),
        server=server,
        project=project,
        layout=layout,
        beside=beside,
        unreachable=unreachable,
        today=TODAY,
    )


def server(**variables: object) -> Server:
    own = {**SESSION, **{name: str(value) for name, value in variables.items()}}
    return replace(HEALTHY, session=own, globals=own)


def fleet(*services: Service, instances: int = 1) -> Layout:
    return Layout(services=services, instances=instances)


def init(sql: str) -> dict[str, Any]:
    return {"init_effect": effect_of(sql), "init_sets": assigned(sql)}


@dataclass(frozen=True)
class Case:
    """Facts, and what the rule says of them; no level: nothing."""

    facts: Facts
    level: Level | None = None
    words: tuple[str, ...] = ()
    absent: str = ""


def says(level: Level, facts: Facts, *words: str, absent: str = "no such words") -> Case:
    return Case(facts, level, words, absent)


def silent(facts: Facts) -> Case:
    return Case(facts)


TENANTS = tuple(Settings(alias=f"tenant{number}", **OURS) for number in range(200))
EIGHT = LifelineOptions(max_connections=8)
GEVENT = fleet(Service(kind="gunicorn", greenlets=1000, hub="gevent"))
EVENTLET = fleet(Service(kind="Celery", greenlets=50, hub="eventlet"))
PROXY = Proxy(name="a TCP proxy", evidence="we connect from port 5, the server sees 1.2.3.4:6")
RDS = Proxy(name="RDS Proxy", evidence="the host is x", idle_limit=1800)
ABOVE = Stray(name="pool", found="the entry itself", belongs="OPTIONS['pool']")
BELOW = Stray(name="max_size", found="OPTIONS", belongs="OPTIONS['pool']['max_size']")
GLOBAL = Stray(name="CONN_MAX_AGE", found="the settings", belongs="the entry of DATABASES")
LEFT = Stray(name="POOL_OPTIONS", found="the entry itself", belongs="django-db-connection-pool")
PATCHED = Remedy("shop/db.py", 3, Kind.PATCH, "DatabaseWrapper.connect")
CLOSED = tuple(Remedy("shop/a.py", n, Kind.CLOSE, "close_old_connections") for n in range(1, 7))
YEAR = server(wait_timeout=31536000)

CASES: dict[str, list[Case]] = {
    "D101": [
        says(ERROR, facts(conn_max_age=None), "for ever", "28800 s", "8 hours"),
        says(ERROR, facts(conn_max_age=28800), "for 28800 s"),
        says(ERROR, facts(conn_max_age=60, server=server(wait_timeout=10)), '"CONN_MAX_AGE": 5,'),
        says(WARNING, facts(conn_max_age=None, server=YEAR), "365 days"),
        silent(facts(conn_max_age=600)),
        silent(facts(conn_max_age=0)),
        silent(facts(conn_max_age=None, health_checks=True)),
        silent(facts(conn_max_age=None, **OURS)),
        silent(facts(conn_max_age=None, server=None)),
    ],
    "D102": [
        says(INFO, facts(), "close_old_connections()"),
        says(INFO, facts(server=None)),
        says(WARNING, facts(server=server(wait_timeout=600)), "600 s"),
        says(
            WARNING,
            facts(project=Project(outside_requests=("django_apscheduler",))),
            "django_apscheduler",
        ),
        says(WARNING, facts(layout=fleet(Service(kind="Celery"))), "Celery"),
        silent(facts(server=server(wait_timeout=10), **OURS)),
    ],
    "D103": [
        says(WARNING, facts(server=server(wait_timeout=10)), "10 s", "SET GLOBAL wait_timeout"),
        says(INFO, facts(server=server(wait_timeout=10), **OURS)),
        silent(facts(server=server(wait_timeout=60))),
    ],
    "D104": [
        says(WARNING, facts(server=YEAR), "32140800", "31536000", "SET GLOBAL wait_timeout = 288"),
        says(WARNING, facts(server=YEAR, **OURS, **init("SET wait_timeout=31536000")), "take wait"),
        silent(facts()),
        silent(facts(server=None)),
    ],
    "D105": [
        says(INFO, facts(server=server(interactive_timeout=60)), "wait_timeout counts"),
        says(
            INFO,
            facts(server=server(interactive_timeout=60), interactive=True),
            "interactive_timeout counts",
        ),
        silent(facts()),
    ],
    "D201": [
        says(
            ERROR,
            facts(layout=fleet(WEB), beside=TENANTS, **OURS),
            '"lifeline": {"max_connections": 30}',
            absent="max_size",
        ),
        says(
            ERROR,
            facts(layout=fleet(Service(processes=8, threads=9)), beside=TENANTS[:4], **OURS),
            '"lifeline": {"max_connections": 15}',
            absent="max_size",
        ),
        says(
            ERROR,
            facts(layout=fleet(Service(processes=10, threads=9)), beside=TENANTS[:1], **OURS),
            '"max_size": 6}',
            absent='"lifeline"',
        ),
        says(
            ERROR,
            facts(
                layout=fleet(Service(processes=20, threads=9)),
                lifeline=EIGHT,
                **OURS,
            ),
            '"lifeline": {"max_connections": 6}',
        ),
        silent(
            facts(
                layout=fleet(WEB),
                beside=tuple(replace(one, lifeline=EIGHT) for one in TENANTS),
                lifeline=EIGHT,
                **OURS,
            )
        ),
        says(
            WARNING,
            facts(
                layout=fleet(WEB, instances=4),
                beside=tuple(replace(one, lifeline=EIGHT) for one in TENANTS),
                lifeline=EIGHT,
                **OURS,
            ),
            "4 × (4 × 8 (gunicorn)) = 128",
        ),
        says(
            ERROR,
            facts(layout=fleet(Service(kind="uWSGI", processes=20, threads=8))),
            "20 × 8 (uWSGI) = 160",
            '"max_size": 6}',
            "SET GLOBAL max_connections = 200;",
        ),
        says(WARNING, facts(layout=fleet(Service(processes=16, threads=8))), "close to the 151"),
        says(WARNING, facts(layout=fleet(Service(processes=151))), "close to the 151"),
        says(ERROR, facts(layout=fleet(WEB, instances=20)), "20 × (4 × 2 (gunicorn)) = 160"),
        says(
            ERROR,
            facts(layout=GEVENT),
            "1 × 1000",
            '"max_size": 50}',
            "# more than 1000 is no cure",
            absent="SET GLOBAL",
        ),
        says(
            ERROR,
            facts(
                layout=fleet(Service(processes=500, threads=50)),
                server=server(max_connections=15000),
            ),
            "= 25000 connections",
            "# more than 15000 is no cure",
            absent="SET GLOBAL",
        ),
        says(
            ERROR,
            facts(layout=fleet(Service(processes=10, threads=8)), beside=(Settings(alias="b"),)),
            "= 160 connections",
        ),
        says(ERROR, facts(**{**OURS, "pool": PoolOptions(max_size=200)}), "1 × 200 (one process)"),
        says(
            ERROR,
            facts(layout=fleet(Service(processes=400)), **OURS),
            "fewer processes: 400 cannot share 151",
            absent="ENGINE",
        ),
        says(
            ERROR,
            facts(layout=fleet(Service(processes=100, threads=9)), **OURS),
            '"max_size": 1}',
            absent="ENGINE",
        ),
        silent(facts(layout=fleet(Service(processes=80)), server=server(max_connections=100))),
        silent(facts(layout=fleet(Service(processes=10, threads=100)), **OURS)),
        silent(facts(layout=fleet(Service(processes=100, asynchronous=True)))),
        silent(facts(layout=fleet(WEB))),
        silent(facts(**OURS)),
        silent(facts()),
        silent(facts(layout=GEVENT, server=None)),
    ],
    "D202": [
        says(
            ERROR,
            facts(layout=fleet(WEB), server=server(max_user_connections=5)),
            "the 5 that max_user_connections allows",
            "ALTER USER 'app'@'10.%' WITH MAX_USER_CONNECTIONS 10;",
        ),
        says(
            ERROR,
            facts(
                layout=fleet(WEB),
                server=server(max_user_connections=15),
                user="app",
                beside=(Settings(alias="same", user="app"),),
            ),
            "= 16 connections",
        ),
        silent(
            facts(
                layout=fleet(WEB),
                server=server(max_user_connections=20),
                user="app",
                beside=(Settings(alias="other", user="other"),),
            )
        ),
        silent(facts(layout=fleet(WEB))),
    ],
    "D203": [
        says(WARNING, facts(server=replace(HEALTHY, status={"Max_used_connections": "151"}))),
        says(
            WARNING,
            facts(server=replace(HEALTHY, status={"Connection_errors_max_connections": "3"})),
            "refused 3",
            "SET GLOBAL max_connections = 302;",
        ),
        says(
            WARNING,
            facts(
                server=replace(
                    server(max_connections=15000), status={"Max_used_connections": "15000"}
                )
            ),
            "GROUP BY 1, 2, 3;",
            absent="SET GLOBAL",
        ),
        silent(facts(server=replace(HEALTHY, status={"Max_used_connections": "150"}))),
        silent(facts(server=None)),
    ],
    "D301": [
        says(ERROR, facts(conn_max_age=60, layout=GEVENT), "up to 1000", '"CONN_MAX_AGE": 0'),
        says(WARNING, facts(layout=GEVENT)),
        silent(facts(layout=GEVENT, **OURS)),
        silent(facts(layout=fleet(WEB))),
    ],
    "D302": [
        says(WARNING, facts(layout=GEVENT), "mysqlclient", "install_as_MySQLdb"),
        says(WARNING, facts(layout=EVENTLET, **OURS), "gevent instead of eventlet"),
        silent(facts(layout=GEVENT, **OURS)),
        silent(facts(layout=GEVENT, driver=PYMYSQL)),
        silent(facts()),
    ],
    "D303": [
        says(
            WARNING,
            facts(driver=replace(PYMYSQL, version=(1, 1, 3)), health_checks=True),
            "1.1.3, and CONN_HEALTH_CHECKS calls its ping()",
        ),
        says(WARNING, facts(driver=replace(PYMYSQL, version=(1, 0, 2)))),
        silent(facts(driver=replace(PYMYSQL, version=(1, 1, 3)))),
        silent(facts(driver=PYMYSQL, health_checks=True)),
        silent(facts(driver=Driver(version=(1, 0, 0)))),
        silent(facts(driver=replace(PYMYSQL, version=(1, 0, 2)), **OURS)),
    ],
    "D304": [
        says(
            ERROR,
            facts(
                layout=fleet(WEB, replace(WEB, preload=True)),
                project=Project(open_at_startup=True),
            ),
            "importing the project opens a connection",
            "preload_app = False",
        ),
        says(INFO, facts(layout=fleet(Service(kind="uWSGI", preload=True))), "lazy-apps = true"),
        silent(facts(layout=fleet(WEB), project=Project(open_at_startup=True))),
        silent(facts(layout=fleet(replace(WEB, preload=True)), **OURS)),
    ],
    "D401": [
        says(
            WARNING,
            facts(server=server(max_allowed_packet=1 << 20), project=Project(large_fields=(TEXT,))),
            "1 MiB",
            "shop.Item.notes",
            "SET GLOBAL max_allowed_packet = 67108864;",
        ),
        says(
            WARNING,
            facts(project=Project(large_fields=(TEXT,), upload_limit=None)),
            "any size",
        ),
        says(
            WARNING,
            facts(project=Project(large_fields=(replace(TEXT, limit=32 << 20),))),
            "128 MiB",
            "= 134217728;",
        ),
        says(
            WARNING,
            facts(project=Project(large_fields=(TEXT,), upload_limit=400 << 20)),
            "DATA_UPLOAD_MAX_MEMORY_SIZE = 16777216",
            "models.FileField()",
            absent="SET GLOBAL",
        ),
        says(
            INFO,
            facts(project=Project(large_fields=(TEXT, replace(TEXT, kind="BinaryField")))),
            "file of any size",
            "FileField()",
        ),
        silent(facts(project=Project(large_fields=(TEXT,)))),
        silent(facts(server=server(max_allowed_packet=1 << 20), project=Project())),
        silent(facts(server=server(max_allowed_packet=1 << 20))),
    ],
    "D402": [
        says(WARNING, facts(server=server(max_allowed_packet=1 << 20)), "batch_size"),
        says(INFO, facts(server=server(max_allowed_packet=16 << 20))),
        silent(facts()),
        silent(facts(server=server(max_allowed_packet=1 << 20), **OURS)),
    ],
    "D403": [
        says(WARNING, facts(streaming=True), "60 s", "SET GLOBAL net_write_timeout = 600;"),
        says(WARNING, facts(server=server(net_write_timeout=5), **OURS)),
        says(INFO, facts(server=server(net_write_timeout=30))),
        silent(facts()),
        silent(facts(streaming=True, server=server(net_write_timeout=600))),
    ],
    "D501": [
        says(WARNING, facts(local=False), '"connect_timeout": 10'),
        says(INFO, facts()),
        silent(facts(local=False, connect_timeout=5)),
        silent(facts(local=False, driver=PYMYSQL)),
        silent(facts(local=False, **OURS)),
    ],
    "D502": [
        says(WARNING, facts(local=False), '"read_timeout": 60, "write_timeout": 60'),
        says(WARNING, facts(local=False, read_timeout=5), "no write_timeout"),
        says(INFO, facts()),
        says(INFO, facts(local=False, **OURS), "TCP keepalive"),
        says(
            WARNING,
            facts(local=False, lifeline=LifelineOptions(tcp_user_timeout=None), **OURS),
        ),
        silent(facts(**OURS)),
        silent(facts(local=False, **BOUNDED)),
    ],
    "D503": [
        says(
            WARNING,
            facts(host="db.example", local=False, server=replace(HEALTHY, tls=False)),
            "db.example:3306",
            "VERIFY_IDENTITY",
        ),
        silent(facts(local=False)),
        silent(facts(server=replace(HEALTHY, tls=False))),
        silent(facts(local=False, server=None)),
    ],
    "D601": [
        says(WARNING, facts(**init("SET @customer = 5")), "state that no other session has"),
        says(WARNING, facts(**init("SELECT GET_LOCK('x', 1)"))),
        says(WARNING, facts(**init("INSERT INTO visits VALUES (1)")), "changes or locks rows"),
        says(WARNING, facts(**init("CALL prepare_session()"), **OURS)),
        silent(facts(**init("SET innodb_lock_wait_timeout = 10, sql_mode = 'ANSI'"))),
        silent(facts()),
    ],
    "D602": [
        says(WARNING, facts(**init("SET autocommit = 0")), "autocommit", "transaction.atomic()"),
        says(WARNING, facts(**init("SET NAMES utf8")), "names", "charset"),
        says(
            WARNING,
            facts(**init("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")),
            "isolation_level",
        ),
        silent(facts(**init("SET sql_mode = 'STRICT_TRANS_TABLES'"))),
    ],
    "D603": [
        says(
            WARNING,
            facts(
                init_sets=frozenset({"lc_time_names", "time_zone", "collation_connection"}),
                server=replace(HEALTHY, proxies=(RDS,)),
            ),
            "sets lc_time_names, which RDS Proxy",
        ),
        silent(facts(init_sets=frozenset({"time_zone"}), server=replace(HEALTHY, proxies=(RDS,)))),
        silent(
            facts(init_sets=frozenset({"lc_time_names"}), server=replace(HEALTHY, proxies=(PROXY,)))
        ),
        silent(facts(init_sets=frozenset({"lc_time_names"}))),
    ],
    "D604": [
        says(
            WARNING,
            facts(
                project=Project(pins=(Pin("shop/a.py", 3, "SELECT GET_LOCK("),) * 7),
                server=replace(HEALTHY, proxies=(RDS,)),
            ),
            "shop/a.py:3 (SELECT GET_LOCK()",
            "and 2 more",
        ),
        says(
            INFO,
            facts(
                project=Project(large_fields=(Field(name="shop.Bill.scan", kind="BinaryField"),)),
                server=replace(HEALTHY, proxies=(RDS,)),
            ),
            "longer than 16 kB",
            "shop.Bill.scan",
        ),
        silent(facts(project=Project(), server=replace(HEALTHY, proxies=(RDS,)))),
        silent(
            facts(
                project=Project(pins=(Pin("shop/a.py", 3, "SET", ("time_zone",)),)),
                server=replace(HEALTHY, proxies=(RDS,)),
            )
        ),
        silent(facts(project=Project(pins=(Pin("shop/a.py", 3, "SET foo"),)))),
        silent(
            facts(
                project=Project(pins=(Pin("shop/a.py", 3, "SET foo"),)),
                server=replace(HEALTHY, proxies=(PROXY,)),
            )
        ),
    ],
    "D701": [
        says(
            CRITICAL,
            facts(
                host="db.example",
                user="app",
                server=None,
                unreachable=Unreachable(text="Access denied", code=1045, change="# correct USER"),
            ),
            "db.example:3306 as 'app' failed (1045): Access denied",
            "# correct USER",
        ),
        silent(facts()),
    ],
    "D702": [
        says(
            WARNING,
            facts(conn_max_age=None, server=replace(HEALTHY, proxies=(PROXY,))),
            "a TCP proxy: we connect from port 5",
            '"CONN_MAX_AGE": 48,',
        ),
        says(INFO, facts(conn_max_age=600, server=replace(HEALTHY, proxies=(RDS,))), "1800 s"),
        says(INFO, facts(server=replace(HEALTHY, proxies=(PROXY,)))),
        says(
            INFO,
            facts(conn_max_age=None, health_checks=True, server=replace(HEALTHY, proxies=(PROXY,))),
        ),
        says(INFO, facts(server=replace(HEALTHY, proxies=(RDS,)), **OURS), '"max_idle": 1440'),
        silent(facts()),
    ],
    "D703": [
        says(WARNING, facts(server=replace(HEALTHY, version="5.7.44-log")), "ended on 2023-10-31"),
        says(WARNING, facts(server=replace(HEALTHY, version="9.3.0")), "a later one has replaced"),
        says(
            WARNING,
            facts(server=replace(HEALTHY, version="10.6.22-MariaDB-log")),
            "MariaDB 10.6.22 ended on 2026-07-06",
        ),
        says(
            INFO,
            replace(
                facts(server=replace(HEALTHY, version="10.11.19-MariaDB")), today=date(2028, 1, 1)
            ),
            "ends on 2028-02-16",
        ),
        silent(facts()),
        silent(facts(server=replace(HEALTHY, version="10.11.19-MariaDB"))),
        says(WARNING, facts(server=replace(HEALTHY, version="26.7.0")), "a later one has replaced"),
        silent(facts(server=replace(HEALTHY, version="9.7.4"))),
        silent(facts(server=replace(HEALTHY, version="26.10.0"))),
        silent(facts(server=replace(HEALTHY, version="12.3.1-MariaDB"))),
        silent(facts(server=replace(HEALTHY, version="99.1.0"))),
        silent(facts(server=None)),
    ],
    "D704": [
        says(INFO, facts(server=server(read_only="ON")), "read_only is on"),
        says(INFO, facts(server=server(super_read_only="ON", read_only="ON")), "super_read_only"),
        silent(facts()),
        silent(facts(server=None)),
    ],
    "D705": [
        says(
            WARNING,
            facts(server=replace(HEALTHY, rights=frozenset({"SELECT", "SUPER"})), name="shop_db"),
            "administrator's rights (SUPER)",
            "CREATE USER 'site'@'%'",
            r"ON `shop\_db`.* TO 'site'@'%'",
            absent="REVOKE",
        ),
        says(
            INFO,
            facts(server=replace(HEALTHY, rights=frozenset({"SELECT"})), name="shop"),
            "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'app'@'10.%'",
            "ON `shop`.* TO 'app'@'10.%'",
            address("rights"),
            absent="your_database",
        ),
        silent(facts()),
    ],
    "E001": [
        says(ERROR, facts(option_error="OPTIONS['pool'] is 5."), "OPTIONS['pool'] is 5."),
        silent(facts(**OURS)),
    ],
    "W001": [
        says(WARNING, facts(conn_max_age=60, **OURS), "max_lifetime"),
        silent(facts(conn_max_age=60, **{**OURS, "pool": None})),
        silent(facts(conn_max_age=60, **{**OURS, "pool": PoolOptions(max_overflow=None)})),
        silent(facts(conn_max_age=60)),
        silent(facts(**OURS)),
    ],
    "W002": [
        says(WARNING, facts(health_checks=True, **OURS)),
        silent(facts(health_checks=True)),
        silent(facts(**OURS)),
    ],
    "W003": [
        says(WARNING, facts(driver=replace(PYMYSQL, version=(1, 0, 2)), **OURS), "1.0.2", "1.1.3"),
        silent(facts(driver=PYMYSQL, **OURS)),
        silent(facts(driver=replace(PYMYSQL, version=(1, 0, 2)))),
    ],
    "W004": [
        says(WARNING, facts(driver=Driver(version=(2, 1, 0)), **OURS), "2.1.0", "2.2.1"),
        silent(facts(driver=Driver(version=(2, 2, 1)), **OURS)),
        silent(facts(driver=Driver(version=(2, 1, 0)))),
    ],
    "W005": [
        says(WARNING, facts(autocommit=False, **OURS), "transaction.atomic()"),
        silent(facts(autocommit=False)),
        silent(facts(**OURS)),
    ],
    "W007": [
        says(
            WARNING,
            facts(misplaced=(ABOVE,)),
            "pool stands in the entry itself, where nothing reads it",
            "# move pool to OPTIONS['pool']",
        ),
        says(ERROR, facts(misplaced=(BELOW,), **OURS), "where the driver refuses it"),
        says(
            WARNING, facts(project=Project(strays=(GLOBAL,))), "CONN_MAX_AGE stands in the settings"
        ),
        says(
            ERROR,
            facts(misplaced=(ABOVE, BELOW), **OURS),
            "pool stands in the entry itself, where nothing reads it; ",
            "stands in OPTIONS, where the driver refuses it.",
        ),
        silent(facts(**OURS)),
        silent(facts(project=Project(strays=(LEFT,)))),
    ],
    "W008": [
        says(
            WARNING,
            facts(leftovers=(LEFT,), **OURS),
            "POOL_OPTIONS of django-db-connection-pool is in the entry itself",
            "# remove: POOL_OPTIONS",
        ),
        says(WARNING, facts(project=Project(strays=(LEFT,))), "ENGINE"),
        silent(facts(**OURS)),
        silent(facts(project=Project(strays=(GLOBAL,)))),
    ],
    "W009": [
        says(
            WARNING,
            facts(project=Project(remedies=(PATCHED, *CLOSED)), **OURS),
            "a method is replaced: shop/db.py:3 (DatabaseWrapper.connect)",
            "and 1 more",
            "close_old_connections() may stay",
        ),
        says(INFO, facts(project=Project(remedies=CLOSED), **OURS)),
        says(INFO, facts(project=Project(remedies=(PATCHED,))), "in place of these"),
        says(
            WARNING,
            facts(project=Project(remedies=(replace(PATCHED, kind=Kind.REPEAT),))),
            "repeat a whole transaction.atomic() block",
        ),
        silent(facts(project=Project(remedies=CLOSED))),
        silent(facts(project=Project(), **OURS)),
        silent(facts(**OURS)),
    ],
    "W006": [
        says(
            WARNING,
            facts(server=server(wait_timeout=100), **{**OURS, "pool": PoolOptions(max_idle=200)}),
            "after 100 s",
            "after 200 s",
        ),
        silent(facts(**{**OURS, "pool": PoolOptions(max_idle=200)})),
        silent(facts(server=server(wait_timeout=100), **OURS)),
        silent(
            facts(server=server(wait_timeout=200), **{**OURS, "pool": PoolOptions(max_idle=200)})
        ),
    ],
}
EACH = [
    pytest.param(number, case, id=f"{number}-{place}")
    for number, cases in CASES.items()
    for place, case in enumerate(cases)
]


@pytest.mark.parametrize(("number", "case"), EACH)
def test_rule_speaks_or_is_silent(number: str, case: Case) -> None:
    finding = BY_NUMBER[number](case.facts)
    if case.level is None:
        assert finding is None
        return
    assert finding is not None
    assert (finding.id, finding.level) == (f"lifeline.{number}", case.level)
    text = f"{finding.what}\n{finding.change}"
    for word in case.words:
        assert word in text
    assert case.absent not in text
    assert finding.where == "DATABASES['default']"
    assert finding.change and finding.why


CHINESE = translator("zh-hans")
ENGLISH = re.compile(r"[A-Za-z]+ (the|is|are|and|or|of|with|for|to|a|its) [A-Za-z]+")


@pytest.mark.parametrize(("number", "case"), EACH)
def test_finding_in_chinese_has_no_english_sentence(number: str, case: Case) -> None:
    finding = BY_NUMBER[number](case.facts, CHINESE)
    if finding is None or number in ("D702", "E001"):
        return  # Their evidence is a plain text here, not one that the doctor has written.
    told = [finding.title, finding.what, finding.why]
    told += [line.partition("# ")[2] for line in finding.change.splitlines()]
    assert [text for text in told if ENGLISH.search(text)] == []
    assert finding.id == f"lifeline.{number}" and finding.level == case.level


def test_every_rule_is_tried_both_ways() -> None:
    assert set(CASES) == set(BY_NUMBER)
    for number, cases in CASES.items():
        assert {case.level is None for case in cases} == {True, False}, number


def test_identifiers_are_unique() -> None:
    assert len(BY_NUMBER) == len(RULES)


@pytest.mark.parametrize(
    "good",
    [
        facts(**OURS),
        facts(local=False, layout=fleet(WEB, instances=5), **OURS),
        facts(layout=GEVENT, **OURS),
        facts(layout=fleet(WEB), **BOUNDED),
        facts(local=False, conn_max_age=600, health_checks=True, layout=fleet(WEB), **BOUNDED),
        facts(local=False, driver=PYMYSQL, **BOUNDED),
    ],
)
def test_nothing_is_said_of_a_good_setup(good: Facts) -> None:
    assert [finding for finding in examine(good) if finding.level >= WARNING] == []


def test_gravest_comes_first_and_then_the_order_of_harm() -> None:
    bad = facts(
        conn_max_age=None,
        local=False,
        layout=GEVENT,
        server=replace(YEAR, rights=frozenset({"SUPER"})),
    )
    found = examine(bad)
    assert [finding.id for finding in found][:2] == ["lifeline.D301", "lifeline.D201"]
    levels = [finding.level for finding in found]
    assert levels == sorted(levels, reverse=True)
