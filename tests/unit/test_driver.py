"""Which driver the engine runs on, decided where its module is imported.

Each case is a fresh process: what is imported under ``MySQLdb`` stays for its whole life.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = """
    from django.conf import settings
    engine = "django_lifeline.backends.mysql"
    settings.configure(DATABASES={"default": {"ENGINE": engine, "NAME": "shop"}})
    import django
    django.setup()
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connection
    try:
        print(connection.Database.__name__)
    except ImproperlyConfigured as error:
        print(error)
"""
ABSENT = "sys.modules[{name!r}] = None"
BROKEN = """
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "MySQLdb":
                raise ImportError("libmariadb.so.3: cannot open shared object file")
    sys.meta_path.insert(0, Broken())
"""


def engine_after(*steps: str) -> str:
    """Run *steps*, then a site with our engine; return its driver's name, or the error."""
    lines = ["import sys", *map(textwrap.dedent, (*steps, SITE))]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_mysqlclient_is_used_where_both_are_installed() -> None:
    pytest.importorskip("MySQLdb")
    assert engine_after() == "MySQLdb"


def test_pymysql_is_used_where_mysqlclient_is_not_installed() -> None:
    assert engine_after(ABSENT.format(name="MySQLdb")) == "pymysql"


def test_pymysql_is_used_by_the_spatial_engine_too() -> None:
    # Its package, which comes before Django's spatial backend and the libraries that this needs.
    package = "import django_lifeline.backends.mysql_gis"
    assert engine_after(ABSENT.format(name="MySQLdb"), package) == "pymysql"


def test_a_driver_that_the_project_chose_stays() -> None:
    assert engine_after("import pymysql", "pymysql.install_as_MySQLdb()") == "pymysql"


def test_no_driver_is_an_error_that_names_both_cures() -> None:
    said = engine_after(*(ABSENT.format(name=name) for name in ("MySQLdb", "pymysql")))
    assert "'django-lifeline[mysqlclient]'" in said
    assert "'django-lifeline[pymysql]'" in said
    assert "\n" not in said


def test_a_broken_driver_is_told_and_not_replaced_in_silence() -> None:
    said = engine_after(BROKEN)
    assert "mysqlclient is installed, but cannot be loaded" in said
    assert "libmariadb.so.3" in said
    assert "'django-lifeline[pymysql]'" in said
