"""Code that the docs give to be copied does what they say."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = pytest.mark.drawn


@pytest.fixture
def again(report: Report) -> Any:
    return report("run_again")


def test_block_without_a_loss_runs_once(again: Any) -> None:
    assert again["no_loss"] == {"said": "done", "runs": 1, "hooks": [1], "stored": [1]}


def test_lost_block_runs_again_and_is_stored_and_hooked_once(again: Any) -> None:
    assert again["one_loss"] == {"said": "done", "runs": 2, "hooks": [2], "stored": [2]}


def test_block_that_is_lost_each_time_raises_in_the_end(again: Any) -> None:
    assert again["too_many"] == {"said": "ConnectionLost", "runs": 3, "hooks": [], "stored": []}


def test_block_inside_another_is_not_run_again(again: Any) -> None:
    told = {"said": "ConnectionLost", "runs": 1, "hooks": [], "stored": []}
    assert again["within_another"] == told
