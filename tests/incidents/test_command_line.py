"""The command that measures: what it runs, writes and returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lifeline_lab.incidents import __main__ as command
from lifeline_lab.incidents.runner import Result
from lifeline_lab.incidents.scoring import Told
from lifeline_lab.incidents.setting import Setting


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``pretend("killed")``: every incident is diagnosed like this; what was run is listed."""
    monkeypatch.chdir(tmp_path)
    ran: list[Setting] = []

    def pretend_that(*causes: str, problem: str = "") -> list[Setting]:
        def run(
            settings: Sequence[Setting], seed: int, tell: Any, *, jobs: int
        ) -> tuple[list[Result], dict[str, str]]:
            ran.extend(settings)
            results = [Result(each, Told(causes=causes), problem=problem) for each in settings]
            for result in results:
                tell(result)
            return results, {"mysql": "9.7"}

        monkeypatch.setattr(command, "run", run)
        return ran

    return pretend_that


def test_whole_run_writes_the_pages_of_the_documentation(pretend: Any, tmp_path: Path) -> None:
    pretend("killed")
    assert command.main(["--count", "20"]) == 1
    written = {path.name for path in (tmp_path / "docs" / "results").iterdir()}
    assert written == {"diagnosis.json", "diagnosis.md"}


def test_run_of_one_cause_runs_no_other_and_leaves_the_documentation_alone(
    pretend: Any, tmp_path: Path
) -> None:
    ran = pretend("killed")
    assert command.main(["--count", "8", "--cause", "killed"]) == 0
    assert {setting.truth for setting in ran} == {"killed"} and len(ran) == 8
    assert not list(tmp_path.iterdir())


def test_incident_that_did_not_come_about_is_no_success(
    pretend: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend("killed", problem="the server never became full")
    assert command.main(["--count", "1", "--cause", "killed"]) == 2
    assert "the server never became full" in capsys.readouterr().out


def test_wrong_diagnosis_is_told_at_once(pretend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pretend("half_open")
    assert command.main(["--count", "1", "--cause", "killed"]) == 1
    assert capsys.readouterr().out.startswith("wrong: killed-")
