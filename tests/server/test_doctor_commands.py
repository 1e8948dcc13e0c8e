"""The commands as people call them: exit status, what they say of wrong input, system checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.databases import fresh_database
from tests.fixtures.programs import LIFELINE, ROOT
from tests.fixtures.servers import started

from django_lifeline.diagnosis.pages import address

PROJECT = Path(__file__).parent / "programs" / "project"
STOCK = "django.db.backends.mysql"
APP = {"MORE_APPS": "django_lifeline"}
PRELOAD = "preload_app = True\nworkers = 4\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def place() -> Iterator[dict[str, Any]]:
    """A server with a small packet and an eye on programs; as an entry of DATABASES."""
    with ExitStack() as stack:
        server = stack.enter_context(
            started("mariadb", max_allowed_packet="1M", performance_schema="ON")
        )
        name = stack.enter_context(fresh_database(server))
        yield {
            "NAME": name,
            "HOST": server.host,
            "PORT": server.port,
            "USER": server.user,
            "PASSWORD": server.password,
        }


@pytest.fixture
def manage(place: dict[str, Any], tmp_path: Path) -> Run:
    """``manage("check", ENGINE=…, env=…)``: manage.py of the small project."""

    def run(
        *words: str, env: dict[str, str] | None = None, **changes: Any
    ) -> subprocess.CompletedProcess[str]:
        entry = {"ENGINE": STOCK, **place, **changes}
        return execute(
            [str(PROJECT / "manage.py"), *words],
            tmp_path,
            {"DATABASE": json.dumps(entry), "DRIVER": "pymysql", **APP, **(env or {})},
        )

    return run


@pytest.fixture
def module(tmp_path: Path) -> Run:
    """``module("doctor", "--dsn", …)``: python -m django_lifeline, with no settings."""
    return lambda *words, **env: execute(["-m", "django_lifeline", *words], tmp_path, env)


def execute(
    words: list[str], folder: Path, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env={
            **os.environ,
            "PYTHONPATH": f"{PROJECT}{os.pathsep}{ROOT / 'src'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **env,
        },
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
    )


def dsn(place: dict[str, Any], query: str = "") -> str:
    login = f"{place['USER']}:{place['PASSWORD']}@{place['HOST']}:{place['PORT']}"
    return f"mysql://{login}/{place['NAME']}?{query}"


pytestmark = pytest.mark.server


def test_doctor_needs_no_settings_but_a_dsn(module: Run, place: dict[str, Any]) -> None:
    done = module("doctor", "--dsn", dsn(place, "CONN_MAX_AGE=null"))
    assert done.returncode == 1, done.stderr
    assert "lifeline.D101" in done.stdout
    assert "\x1b" not in done.stdout
    assert place["PASSWORD"] not in done.stdout


@pytest.mark.parametrize(
    ("level", "status"), [("critical", 0), ("error", 1), ("info", 1), ("never", 0)]
)
def test_exit_status_follows_the_fail_level(
    module: Run, place: dict[str, Any], level: str, status: int
) -> None:
    done = module("doctor", "--dsn", dsn(place, "CONN_MAX_AGE=null"), "--fail-level", level)
    assert done.returncode == status


def test_unreachable_server_is_critical_and_settings_are_examined_all_the_same(
    module: Run,
) -> None:
    done = module(
        "doctor", "--dsn", "mysql://app:hidden-password@127.0.0.1:1/shop", "--fail-level=critical"
    )
    assert done.returncode == 1
    assert "lifeline.D701" in done.stdout and "127.0.0.1:1" in done.stdout
    assert "lifeline.D102" in done.stdout
    assert "hidden-password" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("doctor", "--dsn", "postgres://u:hidden-password@h/n"), "must begin with mysql://"),
        (("doctor", "--dsn", "mysql://u:p@h/n?ENGINE=no.such"), "no.such"),
        (("doctor", "--dsn", "mysql://u:p@h/n", "--database", "x"), "exclude each other"),
        (("doctor",), "--dsn"),
        (("doctor", "--settings", "no_such_module"), "no_such_module"),
        (("doctor", "--config", "none.py"), "none.py"),
        (("doctor", "--processes", "0"), "whole number above 0"),
        (("docter",), "Did you mean 'doctor'?"),
    ],
)
def test_wrong_usage_ends_with_two_and_says_what_to_do(
    module: Run, words: tuple[str, ...], told: str
) -> None:
    done = module(*words, DJANGO_SETTINGS_MODULE="")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden-password" not in done.stderr


def test_managepy_examines_the_projects_aliases(manage: Run, tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(PRELOAD)
    env = {"QUERY_WHEN_READY": "1", "MORE_APPS": "django_lifeline django.contrib.sessions"}
    manage("migrate", "-v0")
    done = manage(
        "lifeline", "doctor", "--json", "--config", "gunicorn.conf.py", "--no-color", env=env
    )
    assert done.returncode == 1, done.stderr
    [examined] = json.loads(done.stdout)["databases"]
    levels = {found["id"]: found["level"] for found in examined["findings"]}
    # A query in ready() and preload_app: certain harm.
    assert levels["lifeline.D304"] == "error"
    # A session's data is a TextField, and may be as large as a request.
    assert levels["lifeline.D401"] == "warning"


def test_managepy_takes_djangos_own_options_and_refuses_an_unknown_alias(manage: Run) -> None:
    done = manage("lifeline", "doctor", "--database", "other", "--settings=project_settings", "-v0")
    assert done.returncode == 2
    assert "DATABASES has no such alias. It has: default." in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no alias with a MySQL or MariaDB engine"),
        (("--database", "default"), "neither MySQL nor MariaDB"),
    ],
)
def test_other_engines_are_not_examined(manage: Run, words: tuple[str, ...], told: str) -> None:
    done = manage("lifeline", "doctor", *words, ENGINE="django.db.backends.sqlite3")
    assert done.returncode == 2
    assert told in done.stderr


def test_managepy_examines_a_dsn_beside_its_own_databases(
    manage: Run, place: dict[str, Any]
) -> None:
    done = manage("lifeline", "doctor", "--dsn", dsn(place), PORT=1)
    assert done.returncode == 0, done.stderr
    assert "the database of --dsn" in done.stdout and "D701" not in done.stdout


def test_status_of_an_unreachable_server_says_what_to_look_at(module: Run) -> None:
    done = module("status", "--dsn", "mysql://app:hidden-password@127.0.0.1:1/shop")
    assert done.returncode == 1
    assert "It does not answer." in done.stdout and "HOST and PORT" in done.stdout


@pytest.mark.parametrize(
    "words", [["-m", "django_lifeline", "help"], ["-m", "django", "lifeline", "explain", "2013"]]
)
def test_reader_that_went_away_is_no_error(words: list[str], tmp_path: Path) -> None:
    settings = 'INSTALLED_APPS = ["django_lifeline"]\nUSE_TZ = True\n'
    (tmp_path / "settings_of_nothing.py").write_text(settings)
    path = os.pathsep.join([str(ROOT / "src"), str(tmp_path)])
    with subprocess.Popen(
        [sys.executable, *words],
        env={
            **os.environ,
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "settings_of_nothing",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_managepy_shows_the_status(manage: Run, place: dict[str, Any]) -> None:
    done = manage("lifeline", "status")
    assert done.returncode == 0, done.stderr
    assert "DATABASES['default']" in done.stdout
    [session] = [line.split() for line in done.stdout.splitlines() if place["USER"] in line][-1:]
    assert session[:4] == [place["USER"], "pymysql", "127.0.0.1", "1"]


def test_checks_tell_a_stock_engines_findings_and_can_be_silenced(manage: Run) -> None:
    bad = {"CONN_MAX_AGE": None}
    told = manage("check", "--database", "default", **bad).stderr
    assert told.count("(lifeline.D101)") == 1
    assert told.count("(lifeline.D402)") == 1
    assert address("doctor", "d101-") in told
    told = manage("check", "--database", "default", env={"SILENCED": "lifeline.D101"}, **bad).stderr
    assert "(lifeline.D101)" not in told and "(lifeline.D402)" in told
    assert "lifeline" not in manage("check", "--database", "default", env={"MORE_APPS": ""}).stderr


def test_checks_tell_our_engines_findings_once_and_stop_no_command(manage: Run) -> None:
    bad = {"ENGINE": LIFELINE, "OPTIONS": {"pool": {"max_size": 400}}}
    for apps in ("", "django_lifeline"):
        done = manage("migrate", "-v1", env={"MORE_APPS": apps}, **bad)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("(lifeline.D201)") == 1, done.stderr
