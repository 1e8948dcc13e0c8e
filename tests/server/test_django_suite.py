"""Django's own tests: what passes with stock passes with this engine (G10), and how it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fixtures.programs import Runner
from tests.fixtures.servers import missing

from lifeline_lab.servers import Server
from lifeline_lab.suite import process as suite_process
from lifeline_lab.suite.arm import Arm, run_arm
from lifeline_lab.suite.comparison import Outcome, Run, gained, lost
from lifeline_lab.suite.labels import present
from lifeline_lab.suite.report import Comparison, table

COULD_NOT_RUN = 2


@pytest.mark.drawn
@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(1200)
def test_djangos_short_suite_passes_as_with_stock(
    flavour: str, driver: str, tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "lifeline_lab.suite", "--short"),
            *("--server", flavour, "--driver", driver, "--json", str(result)),
        ],
        capture_output=True,
        text=True,
        timeout=1100,
    )
    if ended.returncode == COULD_NOT_RUN:
        missing(ended.stderr)
    assert ended.returncode == 0, ended.stdout
    [comparison] = json.loads(result.read_text())
    assert comparison["lost"] == []
    for counts in (comparison["arms"][name]["counts"] for name in ("stock", "lifeline")):
        assert counts["passed"] > 600


FORBID = """
    from unittest import mock
    import json
    from django.db import connection
    from django.db.backends.base.base import BaseDatabaseWrapper

    def query():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def refused():
        forbidden = RuntimeError("no database in this test")
        with mock.patch.object(BaseDatabaseWrapper, "ensure_connection", side_effect=forbidden):
            try:
                query()
            except RuntimeError as error:
                return error is forbidden
        return False

    found = {"never connected": refused()}
    query()
    found["holds a connection"] = refused()
    connection.close_if_unusable_or_obsolete()
    found["gave it back"] = refused()
    query()
    print(json.dumps(found))
"""


def test_tool_that_forbids_the_database_is_obeyed_in_every_state(
    run_program: Runner, server: Server, driver: str
) -> None:
    # Test tools (pytest-django is one) put a method of theirs in the place of Django's.
    assert run_program(FORBID, server, driver).json == {
        "never connected": True,
        "holds a connection": True,
        "gave it back": True,
    }


def run_of(**outcomes: str) -> Run:
    return Run({test: Outcome(outcome) for test, outcome in outcomes.items()})


@pytest.mark.parametrize(
    ("stock", "ours", "is_lost", "is_gained"),
    [
        ("passed", "passed", False, False),
        ("passed", "failed", True, False),
        ("passed", "error", True, False),
        ("passed", "hung", True, False),
        ("passed", "skipped", True, False),
        ("expected failure", "unexpected success", True, False),
        ("skipped", "failed", True, False),
        ("skipped", "passed", False, True),
        ("failed", "error", False, False),
        ("failed", "passed", False, True),
    ],
)
def test_difference_between_arms_is_lost_or_gained(
    stock: str, ours: str, is_lost: bool, is_gained: bool
) -> None:
    arms = run_of(test=stock), run_of(test=ours)
    assert [found.test for found in lost(*arms)] == ["test"] * is_lost
    assert [found.test for found in gained(*arms)] == ["test"] * is_gained


def test_test_that_never_ran_with_ours_is_lost() -> None:
    [found] = lost(run_of(one="passed", two="passed"), run_of(one="passed"))
    assert (found.test, found.lifeline) == ("two", "missing")


def test_class_that_cannot_be_set_up_with_ours_is_lost() -> None:
    [found] = lost(run_of(one="passed"), run_of(one="passed", setUpClass="error"))
    assert (found.test, found.stock) == ("setUpClass", "missing")


# A stand-in for runtests.py: four tests, of which the second ends the process or waits for ever.
STAND_IN = """
import json, os, sys, threading
given = json.loads(os.environ["DJANGO_SUITE"])
done = json.load(open(given["done"]))
tests = [test for test in ("first", "second", "third", "fourth") if test not in done]
record = open(given["record"], "a", buffering=1)
def write(**event):
    record.write(json.dumps(event) + "\\n")
write(planned=tests)
for test in tests:
    write(start=test)
    if test == "second":
        {end}
    write(test=test, outcome="passed", detail="")
write(ended=True)
"""


def run_program(folder: Path, program: str) -> Run:
    (folder / "runtests.py").write_text(program)
    server = SimpleNamespace(host="", port=0, user="", password="")
    arm = Arm("engine", "mysqlclient", ("label",), tests=folder, packages=folder)
    return run_arm(arm, server, lambda done, planned, test: None)


def test_crash_costs_only_the_test_it_was_in(tmp_path: Path) -> None:
    run = run_program(tmp_path, STAND_IN.format(end="print('last words', flush=True); os._exit(7)"))
    assert run.counts() == {"crashed": 1, "passed": 3}
    assert "last words" in run.outcomes["second"].detail
    [crash] = run.crashes
    assert crash.startswith("ended with 7 in second")


def test_process_that_does_not_end_after_the_last_test_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_process, "PATIENCE", 1.0)
    run = run_program(tmp_path, STAND_IN.format(end="pass") + "threading.Event().wait()")
    assert run.counts() == {"passed": 4}
    [crash] = run.crashes
    assert crash.startswith("hung outside any test")


def test_record_that_ends_in_half_a_line_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run = run_program(
        tmp_path, STAND_IN.format(end="record.write('{\"test\": '); record.flush(); os._exit(7)")
    )
    assert run.counts() == {"crashed": 1, "passed": 3}


def test_hang_costs_only_the_test_it_was_in_and_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_process, "PATIENCE", 1.0)
    run = run_program(tmp_path, STAND_IN.format(end="threading.Event().wait()"))
    assert run.counts() == {"hung": 1, "passed": 3}
    assert "threading.py" in run.outcomes["second"].detail


def test_process_that_cannot_start_is_told_and_not_repeated(tmp_path: Path) -> None:
    run = run_program(tmp_path, "raise SystemExit('no settings')")
    assert run.outcomes == {}
    [crash] = run.crashes
    assert "no settings" in crash


def test_process_that_fails_before_the_first_test_is_told(tmp_path: Path) -> None:
    program = STAND_IN.split("for test in tests")[0] + "raise SystemExit('no database')"
    run = run_program(tmp_path, program)
    assert run.outcomes == {}
    [crash] = run.crashes
    assert "no database" in crash


def test_table_shows_both_arms_and_what_is_lost() -> None:
    runs = {"stock": run_of(a="passed", b="skipped"), "lifeline": run_of(a="error", b="skipped")}
    found = Comparison("mariadb 11", "mysqlclient", ("basic",), runs).as_json()
    *_, stock, ours = (line.split(" | ")[5:] for line in table([found]).splitlines())
    assert stock == ["stock", "1", "0", "1", "0", "0", " |"]
    assert ours == ["lifeline", "0", "0", "1", "1", "0", "1 |"]


def test_labels_that_this_django_does_not_have_are_left_out(tmp_path: Path) -> None:
    for name in ("backends", "servers", "gis_tests", "forms"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "templates").mkdir()
    assert present(["short"], tmp_path) == ["backends", "servers"]
    assert present(["all"], tmp_path) == ["backends", "forms", "servers"]
    assert present(["servers.tests", "servers.tests", "gone"], tmp_path) == ["servers.tests"]
