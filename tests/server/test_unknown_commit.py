"""What to do after `CommitOutcomeUnknown`: the advice of the docs, run as it stands there."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = pytest.mark.fault


@pytest.fixture
def told(report: Report) -> Any:
    return report("unknown_commit")


def test_looking_finds_no_row_of_a_transaction_that_commits_afterwards(told: Any) -> None:
    assert not told["commit"]["looked"]


def test_same_reference_is_refused_when_the_old_transaction_commits(told: Any) -> None:
    assert (told["commit"]["did_it"], told["commit"]["payments"]) == (False, 1)


def test_same_reference_does_the_work_when_the_old_transaction_is_undone(told: Any) -> None:
    assert (told["rollback"]["did_it"], told["rollback"]["payments"]) == (True, 1)
