"""Other packages' own tests: what passes with stock passes with this engine, and how it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fixtures.servers import missing

from lifeline_lab.suite.comparison import Outcome, Run
from lifeline_lab.suites import arm as suites_arm
from lifeline_lab.suites.__main__ import BY_NAME
from lifeline_lab.suites.arm import Arm, databases, run_arm
from lifeline_lab.suites.package import Package, Patch
from lifeline_lab.suites.packages import PACKAGES
from lifeline_lab.suites.results import Result, as_markdown, write

SERVER_MISSING, SOURCE_MISSING = 2, 3
# A part of each that takes seconds: where cursors are mixed with other classes, and where an
# engine of their own lies over ours.
QUICK = {
    "django-debug-toolbar": "tests.panels.test_sql",
    "django-mysql": "tests/testapp/test_setcharfield.py",
}


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(600)
@pytest.mark.parametrize("package", QUICK)
def test_quick_part_of_a_package_passes_as_with_stock(package: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "lifeline_lab.suites", "--package", package),
            *("--labels", QUICK[package], "--server", "mysql", "--results", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=550,
    )
    if ended.returncode == SOURCE_MISSING and BY_NAME[package].repository:
        # Only the package index can be counted on everywhere.
        pytest.skip(ended.stderr)
    if ended.returncode in (SERVER_MISSING, SOURCE_MISSING):
        missing(ended.stderr)
    assert ended.returncode == 0, ended.stdout
    [result] = json.loads((tmp_path / "suites.json").read_text())
    assert result["lost"] == []
    for counts in (result["arms"][name]["counts"] for name in ("stock", "lifeline")):
        assert counts["passed"] > 20


SERVER = SimpleNamespace(host="127.0.0.1", port=3307, user="somebody", password="secret")
# Stand-ins for the program in the package's environment: each says what it was given.
STAND_IN = """
import json, os
given = json.loads(os.environ["DJANGO_SUITE"])
with open(given["record"], "a") as record:
    test = open("engine.py").read()
    for event in (
        {"planned": [test]},
        {"start": test},
        {"test": test, "outcome": "passed", "detail": ""},
        {"ended": True},
        {"left_open": 2},
    ):
        record.write(json.dumps(event) + "\\n")
"""


def test_aliases_get_our_server_and_keep_what_they_differ_in() -> None:
    package = Package(
        "name",
        "1",
        databases={
            "default": {},
            "read-only": {"TEST": {"MIRROR": "default"}, "OPTIONS": {"init_command": "SELECT 1"}},
            "file": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file.sqlite3"},
        },
    )
    found = databases(package, "engine", SERVER)
    assert found["default"]["ENGINE"] == "engine"
    assert found["default"]["PORT"] == 3307
    assert found["read-only"]["NAME"] == "suite_read_only"
    assert found["read-only"]["TEST"] == {"CHARSET": "utf8mb4", "MIRROR": "default"}
    assert found["read-only"]["OPTIONS"] == {"init_command": "SELECT 1"}
    assert found["file"] == {"ENGINE": "django.db.backends.sqlite3", "NAME": "file.sqlite3"}


def test_run_works_in_a_patched_copy_and_counts_what_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "engine.py").write_text("from django.db.backends.mysql.base import it")
    (source / "stand_in.py").write_text(STAND_IN)
    monkeypatch.setattr(suites_arm, "PROGRAM", "stand_in")
    patch = Patch("engine.py", "from django.db.backends.mysql.base", "from {engine}.base")
    package = Package("name", "1", patches=(patch,))
    arm = Arm(package, "ours", "mysqlclient", Path(sys.executable), source)
    run = run_arm(arm, SERVER, lambda done, planned, test: None)
    assert run.outcomes == {"from ours.base import it": Outcome("passed")}
    assert run.left_open == 2
    assert "ours" not in (source / "engine.py").read_text()


def result_of(ours: Run, server: str = "mariadb 11") -> Result:
    runs = {"stock": Run({"one": Outcome("passed")}), "lifeline": ours}
    return Result("name", "1", server, "mysqlclient", {"date": "2026-01-01", "Django": "6"}, runs)


def test_session_that_only_ours_leaves_open_is_not_as_wanted() -> None:
    ours = Run({"one": Outcome("passed")})
    assert result_of(ours).as_wanted
    ours.left_open = 1
    assert not result_of(ours).as_wanted


def test_lost_test_is_not_as_wanted_and_named_on_the_page() -> None:
    result = result_of(Run({"one": Outcome("failed"), "two": Outcome("passed")}))
    assert not result.as_wanted
    assert "`one`" in as_markdown([result.as_json()])


def test_newer_result_takes_the_place_of_the_same_package_server_and_driver(
    tmp_path: Path,
) -> None:
    write([result_of(Run({"one": Outcome("failed")})), result_of(Run(), "mysql 9")], tmp_path)
    write([result_of(Run({"one": Outcome("passed")}), "mariadb 12")], tmp_path)
    found = json.loads((tmp_path / "suites.json").read_text())
    assert [result["server"] for result in found] == ["mariadb 12", "mysql 9"]
    assert "| mariadb 12 |" in (tmp_path / "suites.md").read_text()


def test_every_package_says_why_it_is_run_and_has_its_name_once() -> None:
    assert all(package.why for package in PACKAGES)
    assert len({package.name for package in PACKAGES}) == len(PACKAGES)
