"""What users import: a change here is a change for them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import django_lifeline
from django_lifeline import exceptions

ROOT = Path(__file__).parents[2]


def run_python(program: str) -> str:
    """Run a program in a fresh process; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_package_offers_these_names() -> None:
    assert sorted(django_lifeline.__all__) == [
        "Credentials",
        "connection_scope",
        "explain",
        "pools",
    ]
    with pytest.raises(AttributeError, match="no_such_name"):
        django_lifeline.no_such_name  # noqa: B018


def test_exceptions_are_these_and_all_are_djangos() -> None:
    from django.db.utils import DataError, OperationalError

    classes = {
        name: kind
        for name, kind in vars(exceptions).items()
        if isinstance(kind, type) and kind.__module__ == exceptions.__name__
    }
    assert sorted(classes) == [
        "CommitOutcomeUnknown",
        "ConnectionLost",
        "CredentialsUnavailable",
        "LifelineError",
        "PacketTooLarge",
        "PoolClosed",
        "PoolDeadlock",
        "PoolQueueFull",
        "PoolTimeout",
    ]
    classes.pop("LifelineError")
    assert issubclass(classes["PacketTooLarge"], DataError)
    for kind in classes.values():
        assert issubclass(kind, OperationalError)
        assert kind.__doc__


def test_signals_are_these() -> None:
    names = run_python(
        """
        from django.dispatch import Signal
        from django_lifeline import signals
        print(*sorted(n for n, v in vars(signals).items() if isinstance(v, Signal)))
        """
    )
    assert names.split() == [
        "connection_lost",
        "connection_restored",
        "failover_finished",
        "pool_exhausted",
    ]


def test_importing_needs_no_settings_no_driver_and_starts_no_thread() -> None:
    said = run_python(
        """
        import sys, threading
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("MySQLdb", "pymysql", "gevent"):
                    raise ImportError(name)
        sys.meta_path.insert(0, Refuse())
        import django_lifeline, django_lifeline.exceptions, django_lifeline.apps
        from django.conf import settings
        pool = "django_lifeline.core.pool" in sys.modules
        print(settings.configured, threading.active_count(), pool)
        """
    )
    assert said.split() == ["False", "1", "False"]


@pytest.mark.parametrize("apps", [[], ["django_lifeline"]])
def test_engine_loads_what_connections_need_and_no_command(apps: list[str]) -> None:
    # Every process that begins loads it: of a pool's workers, of a command, of a function.
    said = run_python(
        f"""
        import sys
        import django
        from django.conf import settings
        database = {{"ENGINE": "django_lifeline.backends.mysql", "NAME": "none"}}
        settings.configure(DATABASES={{"default": database}}, INSTALLED_APPS={apps})
        django.setup()
        from django.db import connection
        connection.vendor
        print(*(name for name in sys.modules if name.startswith("django_lifeline.")))
        """
    )
    parts = "diagnosis.doctor", "diagnosis.explain", "diagnosis.dsn", "panel", "integrations"
    found = [name.removeprefix("django_lifeline.") for name in said.split()]
    assert "backends.mysql.base" in found
    assert [name for name in found if name.startswith(parts)] == []


def test_public_names_work_without_driver_and_settings() -> None:
    said = run_python(
        """
        import sys
        sys.modules["MySQLdb"] = sys.modules["pymysql"] = None
        from django_lifeline import connection_scope, explain, pools
        from django_lifeline.exceptions import ConnectionLost
        from django_lifeline.signals import connection_lost
        from django.core.exceptions import ImproperlyConfigured

        @connection_scope
        def decorated():
            with connection_scope():
                return "ran"

        print(decorated(), list(pools), len(explain("OperationalError: (2006, 'gone')").findings))
        connection_lost.connect(print)
        try:
            pools["default"]
        except ImproperlyConfigured as error:
            print("settings.configure()" in str(error))
        """
    )
    assert said.split() == ["ran", "[]", "1", "True"]


def test_scopes_and_pools_know_of_settings_that_nobody_has_read_yet(tmp_path: Path) -> None:
    (tmp_path / "site_settings.py").write_text(
        "DATABASES = {'default': {'ENGINE': 'django_lifeline.backends.mysql', 'NAME': 'n'}}"
    )
    said = run_python(
        f"""
        import os, sys
        sys.path.insert(0, {str(tmp_path)!r})
        os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
        from django_lifeline import connection_scope, pools
        with connection_scope():
            from django.db import connection
            print(connection.scopes_entered)
        print(connection.scopes_entered, list(pools))
        """
    )
    assert said.split() == ["1", "0", "['default']"]


def test_scopes_leave_other_engines_alone_where_no_driver_is_installed() -> None:
    said = run_python(
        """
        import sys
        sys.modules["MySQLdb"] = sys.modules["pymysql"] = None
        from django.conf import settings
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        settings.configure(DATABASES={"default": database})
        from django.db import connection
        from django_lifeline import connection_scope, pools
        for using in (None, "default"):
            with connection_scope(using), connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            print(connection.connection is not None)
        print(list(pools))
        try:
            pools["default"]
        except TypeError as error:
            print("has no pool" in str(error))
        """
    )
    assert said.split() == ["True", "True", "[]", "True"]


def test_engine_needs_no_app_and_starts_no_thread() -> None:
    said = run_python(
        """
        import threading
        from django.conf import settings
        settings.configure(DATABASES={"default": {
            "ENGINE": "django_lifeline.backends.mysql", "NAME": "n", "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True, "HOST": "127.0.0.1", "PORT": 1, "USER": "u"}})
        import django
        django.setup()
        from django.db import connection, OperationalError
        print(connection.vendor, repr(connection.pool) != "", threading.active_count())
        try:
            connection.ensure_connection()
        except OperationalError as error:
            print(type(error.args[0]).__name__)
        """
    )
    assert said.split() == ["mysql", "True", "1", "int"]
