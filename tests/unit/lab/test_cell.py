"""Cells: a real process runs the program; only the server is missing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.lab.fakes import PLACE, FakeAdmin, result, scenario

from lifeline_lab import cell as cell_module
from lifeline_lab.cell import Cell, Result, run_cell
from lifeline_lab.judges import Kind, nothing_failed
from lifeline_lab.scene import LabError, Scene

STAGE = "from lifeline_lab.stage import attempt, done, pause, ready, specification\n"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_module, "Admin", FakeAdmin)


def run_program(tmp_path: Path, source: str, **more: Any) -> Result:
    program = tmp_path / "program.py"
    program.write_text(STAGE + source)
    wanted = scenario(program=program, **{"judge": nothing_failed(), **more})
    return run_cell(Cell(wanted, "mariadb", "mysqlclient", "stock"), PLACE, 1)


def test_program_that_runs_through_survives(tmp_path: Path) -> None:
    ended = run_program(tmp_path, "ready()\nwith attempt('work'):\n    pass\ndone()\n")

    assert ended.verdict.kind is Kind.SURVIVED
    assert [e.event for e in ended.history] == ["ready", "start", "ok", "done"]


@pytest.mark.parametrize(
    "source",
    [
        "def (:\n",
        "import no_such_package\nready()\ndone()\n",
        "ready()\nraise RuntimeError('half way')\n",
        "ready()\nwith attempt('work'):\n    import no_such_package\ndone()\n",
    ],
    ids=["syntax error", "missing package", "ends early", "missing package in the middle"],
)
def test_broken_program_is_reported_as_broken_itself(tmp_path: Path, source: str) -> None:
    assert run_program(tmp_path, source).verdict.kind is Kind.PROGRAM_BROKEN


def test_program_that_hangs_in_its_set_up_is_reported_as_broken_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_module, "TIME_TO_SET_UP", 0.2)

    ended = run_program(tmp_path, "import threading\nthreading.Event().wait()\n")

    assert ended.verdict.kind is Kind.PROGRAM_BROKEN


def test_program_that_hangs_later_is_ended_and_broken(tmp_path: Path) -> None:
    source = "import threading\nready()\nwith attempt('read'):\n    threading.Event().wait()\n"

    ended = run_program(tmp_path, source, patience=1.0)

    assert (ended.verdict.kind, ended.verdict.label) == (Kind.BROKEN, "hangs")


def test_fault_acts_while_the_program_pauses(tmp_path: Path) -> None:
    def fault(scene: Scene) -> None:
        scene.note("fault", "strikes")

    ended = run_program(tmp_path, "ready()\npause('here')\ndone()\n", faults={"here": fault})

    told = [event.event for event in ended.history]
    assert told.index("pause") < told.index("fault") < told.index("resume")


def test_fault_without_effect_is_an_error_of_the_lab(tmp_path: Path) -> None:
    def fault(scene: Scene) -> None:
        raise LabError("it did not happen")

    ended = run_program(tmp_path, "ready()\npause('here')\ndone()\n", faults={"here": fault})

    assert ended.verdict.kind is Kind.LAB_ERROR
    assert "it did not happen" in ended.verdict.why


def test_crashing_judge_is_an_error_of_the_lab_and_no_pass(tmp_path: Path) -> None:
    def judge(outcome: object) -> None:
        raise ZeroDivisionError

    ended = run_program(tmp_path, "ready()\ndone()\n", judge=judge)

    assert ended.verdict.kind is Kind.LAB_ERROR


def test_children_left_behind_are_ended_with_the_cell(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    source = (
        "import subprocess, sys\nready()\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        f"subprocess.Popen(sleep, stdout=open({str(pipe)!r}, 'w'))\ndone()\n"
    )

    assert run_program(tmp_path, source).verdict.kind is Kind.SURVIVED

    # The end of the pipe comes when nobody who could write to it is alive.
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_password_is_in_the_environment_and_not_in_the_specification(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    source = (
        "import json, os\nready()\n"
        f"open({str(seen)!r}, 'w').write(json.dumps([specification(), dict(os.environ)]))\ndone()\n"
    )

    run_program(tmp_path, source)

    specification, environment = json.loads(seen.read_text())
    assert "secret" not in json.dumps(specification)
    assert environment["LIFELINE_LAB_PASSWORD"] == "secret"
    assert "LIFELINE_LAB_PASSWORD" not in os.environ


@pytest.mark.parametrize(
    ("arm", "kind", "as_wanted"),
    [
        ("lifeline", Kind.SURVIVED, True),
        ("lifeline", Kind.BROKEN, False),
        ("lifeline", Kind.PROGRAM_BROKEN, False),
        ("stock", Kind.BROKEN, True),
        ("stock", Kind.SURVIVED, False),
        ("stock", Kind.PROGRAM_BROKEN, False),
        ("stock", Kind.LAB_ERROR, False),
    ],
)
def test_only_ours_may_survive_where_stock_must_break(
    arm: str, kind: Kind, as_wanted: bool
) -> None:
    assert result(arm, kind).as_wanted is as_wanted


def test_stock_may_do_as_it_likes_where_it_need_not_break() -> None:
    control = scenario(must_break=(), control=True)

    assert result("stock", Kind.SURVIVED, of=control).as_wanted
    assert result("stock", Kind.BROKEN, of=control).as_wanted
    assert not result("stock", Kind.PROGRAM_BROKEN, of=control).as_wanted
