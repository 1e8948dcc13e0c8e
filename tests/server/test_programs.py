"""Programs run for a test have Django, the driver and the database they were promised."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fixtures.programs import Runner
from tests.fixtures.servers import missing

from lifeline_lab.servers import Server
from lifeline_lab.wire import WireProxy

STOCK = "django.db.backends.mysql"


def test_program_queries_through_the_asked_driver(
    run_program: Runner, server: Server, driver: str
) -> None:
    source = """
        from __future__ import annotations
        import json
        from django.db import connection
        from tests.fixtures.program_setup import admin
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (a INT)")
            cursor.execute("INSERT INTO t VALUES (7)")
        driver = type(connection.connection).__module__.split(".")[0]
        age = connection.settings_dict["CONN_MAX_AGE"]
        print(json.dumps([driver, age, admin("SELECT a FROM t")]))
    """
    outcome = run_program(source, server, driver, engine=STOCK, CONN_MAX_AGE=5)
    module = {"mysqlclient": "MySQLdb", "pymysql": "pymysql"}[driver]
    assert outcome.json == [module, 5, [[7]]]


def test_program_file_runs_behind_a_proxy(
    run_program: Runner, proxy: WireProxy, server: Server, driver: str, tmp_path: Path
) -> None:
    program = tmp_path / "asks.py"
    program.write_text("from django.db import connection\nconnection.cursor().execute('SELECT 42')")
    outcome = run_program(program, server, driver, engine=STOCK, PORT=proxy.port)
    assert outcome.returncode == 0, outcome
    assert proxy.wait_for("SELECT 42").connection == 1


def test_program_under_gevent_is_patched_first(run_program: Runner, server: Server) -> None:
    source = """
        import json
        from gevent.monkey import is_module_patched
        print(json.dumps(is_module_patched("socket")))
    """
    outcome = run_program(source, server, "pymysql", engine=STOCK, gevent=True)
    assert outcome.json is True


def test_failing_program_shows_its_traceback(run_program: Runner, server: Server) -> None:
    outcome = run_program("raise ValueError('told')", server, "pymysql", engine=STOCK)
    with pytest.raises(AssertionError, match="ValueError: told"):
        print(outcome.json)


def test_program_without_end_is_killed(run_program: Runner, server: Server) -> None:
    source = "import threading\nthreading.Event().wait()"
    with pytest.raises(pytest.fail.Exception, match="took more than"):
        run_program(source, server, "pymysql", engine=STOCK, timeout=2)


def test_missing_server_skips_at_home_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no server"):
        missing("no server")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no server"):
        missing("no server")
