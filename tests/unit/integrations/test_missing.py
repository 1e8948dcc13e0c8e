"""What importing an integration needs: its package, which is named where it is missing, no more."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"

EXTRAS = {
    "apscheduler": "apscheduler",
    "celery": "celery",
    "debug_toolbar": "debug_toolbar",
    "dramatiq": "dramatiq",
    "grpc": "grpc",
    "huey": "huey",
    "opentelemetry": "opentelemetry",
    "prometheus": "prometheus_client",
    "rq": "rq",
}

NEED_SETTINGS = {"debug_toolbar"}
"""A panel is a class of the toolbar's, whose own module reads the settings."""

NO_DRIVER = """
import sys
sys.modules["MySQLdb"] = sys.modules["pymysql"] = None
"""


def blocked(monkeypatch: pytest.MonkeyPatch, package: str, integration: str) -> str:
    """What importing an integration says while its package cannot be imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    ours = f"django_lifeline.integrations.{integration}"
    monkeypatch.delitem(sys.modules, ours, raising=False)
    with pytest.raises(ImportError) as caught:
        importlib.import_module(ours)
    return str(caught.value)


@pytest.mark.parametrize("extra", EXTRAS)
def test_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    message = blocked(monkeypatch, EXTRAS[extra], extra)
    assert f"pip install 'django-lifeline[{extra}]'" in message


def test_uwsgis_integration_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "inside uWSGI only" in blocked(monkeypatch, "uwsgi", "uwsgi")


def test_apscheduler_4_is_not_taken_for_3(monkeypatch: pytest.MonkeyPatch) -> None:
    # It has the package, but not this module.
    assert "needs APScheduler 3" in blocked(monkeypatch, "apscheduler.executors", "apscheduler")


def run_without_drivers(program: str) -> None:
    """Run *program* in an interpreter without settings, where no driver can be imported."""
    done = subprocess.run(
        [sys.executable, "-c", NO_DRIVER + program],
        env={"PYTHONPATH": str(SOURCE), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_importing_an_integration_needs_no_driver_and_no_settings() -> None:
    # Configuration files import them before PyMySQL may have taken mysqlclient's place.
    names = [*(EXTRAS.keys() - NEED_SETTINGS), "threads", "asgi", "gunicorn", "work"]
    run_without_drivers(f"""
import importlib
for name in {names}:
    importlib.import_module("django_lifeline.integrations." + name)
""")


def test_importing_the_toolbars_panel_needs_the_settings_and_no_driver() -> None:
    run_without_drivers("""
from django.conf import settings
settings.configure()
import django_lifeline.integrations.debug_toolbar
""")


def test_telemetry_is_set_up_before_there_are_settings_and_without_the_engine() -> None:
    run_without_drivers("""
from django_lifeline.integrations import opentelemetry, prometheus
opentelemetry.instrument()
prometheus.install()
assert not [name for name in sys.modules if name.startswith("django_lifeline.backends.a")]
from django.conf import settings
assert not settings.configured
""")


def test_other_databases_connect_under_telemetry_where_no_driver_is_installed() -> None:
    run_without_drivers("""
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
)
from django.db import connection
from django_lifeline.integrations import opentelemetry, prometheus
opentelemetry.instrument()
collector = prometheus.install()
with connection.cursor() as cursor:
    cursor.execute("SELECT 1")
assert list(collector.collect())
""")
