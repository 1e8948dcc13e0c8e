"""G10: the tests and commands of a small project, as its developers run them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from tests.fixtures.databases import ended_rudely, fresh_database
from tests.fixtures.drivers import eventually
from tests.fixtures.programs import LIFELINE, ROOT, Runner
from tests.fixtures.servers import DRIVERS, missing

from django_lifeline.diagnosis.pages import address
from lifeline_lab.servers import Server

PROJECT = Path(__file__).parent / "programs" / "project"
TESTS = 13

Manage = Callable[..., "subprocess.CompletedProcess[str]"]


# Each of these takes several processes, so each server is tried with one of the drivers.
@pytest.fixture(params=["mariadb-mysqlclient", "mysql-pymysql"])
def pair(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def flavour(pair: str) -> str:
    return pair.split("-")[0]


@pytest.fixture
def driver(pair: str) -> str:
    name = pair.split("-")[1]
    if importlib.util.find_spec(DRIVERS[name]) is None:
        missing(f"The driver is not installed: {name}")
    return name


@pytest.fixture
def manage(server: Server, driver: str, tmp_path: Path) -> Iterator[Manage]:
    """``manage("test", ENGINE=…, env=…)``: manage.py of the project, on a database of its own."""
    with fresh_database(server) as name:

        def run(
            *words: str, stdin: str = "", env: dict[str, str] | None = None, **changes: Any
        ) -> subprocess.CompletedProcess[str]:
            database = {
                "ENGINE": LIFELINE,
                "NAME": name,
                "HOST": server.host,
                "PORT": server.port,
                "USER": server.user,
                "PASSWORD": server.password,
                **changes,
            }
            return subprocess.run(
                [sys.executable, str(PROJECT / "manage.py"), *words],
                env={
                    **os.environ,
                    "PYTHONPATH": f"{PROJECT}{os.pathsep}{ROOT / 'src'}",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "DATABASE": json.dumps(database),
                    "DRIVER": driver,
                    **(env or {}),
                },
                input=stdin,
                capture_output=True,
                text=True,
                timeout=100,
                cwd=tmp_path,
            )

        run.database = name  # type: ignore[attr-defined]
        yield run
        server.drop_database(f"test_{name}")


def rows(server: Server, manage: Any) -> list[str]:
    """What is stored in the database that the settings name."""
    found = server.query(f"SELECT name FROM {manage.database}.shop_item ORDER BY name")
    return [name for (name,) in found]


def passed(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 0 and f"Ran {TESTS} tests" in done.stderr and "OK" in done.stderr


def test_users_tests_pass_and_never_touch_the_settings_database(
    manage: Any, server: Server
) -> None:
    assert manage("migrate", "-v0").returncode == 0
    # The one query before the test database is made must not lead the tests into this one.
    done = manage("test", "--noinput", "shop", env={"QUERY_WHEN_READY": "1"})
    assert passed(done), done.stderr
    assert rows(server, manage) == ["from migration"]
    assert server.query("SHOW DATABASES LIKE %s", f"test\\_{manage.database}") == []


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_users_tests_pass_in_parallel(manage: Any, server: Server, method: str) -> None:
    if server.flavour == "mysql":
        pytest.skip("Cloning needs MySQL's own mysqldump; Debian's is MariaDB's.")
    if shutil.which("mysqldump") is None:
        missing("Cloning test databases needs mysqldump.")
    assert manage("migrate", "-v0").returncode == 0
    env = {"QUERY_WHEN_READY": "1", "START_METHOD": method}
    done = manage("test", "--noinput", "--parallel", "2", "shop", env=env)
    assert passed(done), done.stderr
    assert rows(server, manage) == ["from migration"]


def test_kept_test_database_is_used_again(manage: Any, server: Server) -> None:
    words = ("test", "--noinput", "--keepdb", "shop.tests.InTransaction", "shop.tests.Live")
    for _ in range(2):
        done = manage(*words)
        assert done.returncode == 0, done.stderr
        assert server.query("SHOW DATABASES LIKE %s", f"test\\_{manage.database}") != []


def test_commands_do_what_they_do_with_stock(manage: Any, server: Server, tmp_path: Path) -> None:
    def output(*words: str, **how: Any) -> str:
        done = manage(*words, **how)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    output("migrate", "-v0")
    stock = {"ENGINE": "django.db.backends.mysql"}
    assert output("inspectdb") == output("inspectdb", **stock)
    dumped = tmp_path / "rows.json"
    output("dumpdata", "shop", "-o", str(dumped))
    output("flush", "--noinput")
    assert rows(server, manage) == []
    output("loaddata", str(dumped))
    assert rows(server, manage) == ["from migration"]
    output("migrate", "shop", "zero", "-v0")
    assert server.query(f"SHOW TABLES FROM {manage.database} LIKE 'shop_item'") == []


def test_command_ends_its_sessions_with_a_goodbye(manage: Any, server: Server) -> None:
    def aborted() -> int:
        sessions = "SELECT 1 FROM information_schema.processlist WHERE db = %s"
        eventually(lambda: not server.query(sessions, manage.database))
        return ended_rudely(server.log(), manage.database)

    before = aborted()
    assert manage("check", "--database", "default").returncode == 0
    assert aborted() == before


def test_dbshell_runs_what_it_is_given(manage: Any, server: Server) -> None:
    if shutil.which("mysql") is None:
        missing("dbshell needs the mysql client program.")
    done = manage("dbshell", stdin="SELECT 3 + 4;")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "7"


# System checks

ODD = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "AUTOCOMMIT": False}


def test_checks_without_the_app_are_told_when_the_database_is_asked(manage: Any) -> None:
    assert "no issues" in manage("check", **ODD).stdout
    told = manage("check", "--database", "default", **ODD).stderr
    for number in ("W002", "W005"):
        assert told.count(f"(lifeline.{number})") == 1
        assert address("checks", f"lifeline-{number.lower()}") in told


def test_checks_with_the_app_need_no_database(manage: Any) -> None:
    app = {"MORE_APPS": "django_lifeline"}
    # From 6.1 on, Django's own checks of models ask the database what it can do.
    unreachable = {} if django.VERSION >= (6, 0) else {"PORT": 1}
    told = manage("check", env=app, **unreachable, **ODD).stderr
    for number in ("W002", "W005"):
        assert told.count(f"(lifeline.{number})") == 1
    told = manage("check", "--database", "default", env=app, **ODD).stderr
    assert told.count("(lifeline.W002)") == 1


def test_checks_can_be_silenced(manage: Any) -> None:
    silenced = {"MORE_APPS": "django_lifeline", "SILENCED": "lifeline.W002"}
    told = manage("check", env=silenced, **ODD).stderr
    assert "lifeline.W005" in told
    assert "lifeline.W002" not in told


def test_settings_in_order_are_told_nothing(manage: Any) -> None:
    app = {"MORE_APPS": "django_lifeline"}
    init = {"OPTIONS": {"init_command": "SET wait_timeout = 1000"}}
    done = manage("check", "--database", "default", env=app, **init)
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr
    # CONN_MAX_AGE keeps its meaning without a pool.
    done = manage("check", env=app, CONN_MAX_AGE=60, OPTIONS={"pool": False})
    assert "no issues" in done.stdout


# Django's own checks of models want to connect before ours are asked, from 6.1 on at every check.
@pytest.mark.parametrize(
    ("command", "app"),
    [("check", "django_lifeline"), ("check --database default", ""), ("migrate", "")],
)
def test_wrong_option_is_an_error_of_the_check(manage: Any, command: str, app: str) -> None:
    wrong = {"OPTIONS": {"pool": {"timeout": -5}}}
    done = manage(*command.split(), env={"MORE_APPS": app}, **wrong)
    assert done.returncode == 1
    assert done.stderr.startswith("SystemCheckError: System check identified some issues:")
    assert done.stderr.count("(lifeline.E001)") == 1
    assert "DATABASES['default']" in done.stderr
    assert "OPTIONS['pool']['timeout'] is -5. Set it to a number of seconds" in done.stderr
    assert "HINT: " in done.stderr
    assert "Traceback" not in done.stderr


def test_silenced_wrong_option_still_keeps_from_connecting(manage: Any) -> None:
    wrong = {"OPTIONS": {"pool": {"maxsize": 5}}}
    done = manage("check", "--database", "default", env={"SILENCED": "lifeline.E001"}, **wrong)
    assert done.returncode == 1
    assert "ImproperlyConfigured: DATABASES['default']" in done.stderr
    assert "Did you mean 'max_size'?" in done.stderr


def test_max_idle_over_the_servers_limit_is_told(manage: Any) -> None:
    options = {"init_command": "SET wait_timeout = 100", "pool": {"max_idle": 200}}
    told = manage("check", "--database", "default", OPTIONS=options).stderr
    assert told.count("(lifeline.W006)") == 1
    assert "100 s" in told


def test_spatial_engine_connects_and_heals(
    run_program: Runner, server: Server, driver: str
) -> None:
    said = run_program(PROJECT.parent / "spatial.py", server, driver).json
    assert said["bases"][:2] == [
        "django_lifeline.backends.mysql_gis.base",
        "django_lifeline.backends.wrapper",
    ]
    assert "django.contrib.gis.db.backends.mysql.base" in said["bases"]
    assert said["geometry"] == "POINT(1 2)"
    assert said["spatial"] == "ST_AsBinary(%s)"
    assert (said["healed"], said["vendor"]) == (True, "mysql")
