"""New Relic's agent wraps the driver's ``connect``."""

from __future__ import annotations

from tests.monitoring.conftest import Seen
from tests.monitoring.laws import (
    TURNS,
    SeesWhatItSeesWithStock,
    SwitchesOnLate,
    statements,
)

SELECTS = "Datastore/statement/MySQL/shop_thing/select"
UPDATES = "Datastore/statement/MySQL/shop_thing/update"


class TestNewRelic(SeesWhatItSeesWithStock):
    """What it keeps is how often each kind of statement ran, in each of its transactions."""

    tool, module, package = "new_relic", "newrelic", "newrelic"

    def test_statements_of_two_threads_stay_apart(self, seen: Seen) -> None:
        for number in range(2):
            [selects] = seen.ours["work"]["records"][f"thread_{number}"]
            assert selects["times"] == TURNS

    def test_statement_after_a_kill_works_and_is_recorded_once(self, seen: Seen) -> None:
        healing, work = seen.ours["healing"], seen.ours["work"]
        assert healing["answers"]["heals"][0] == work["answers"]["fetches_in_parts"][1]
        assert statements(healing["records"])["heals"] == work["records"]["reads"]

    def test_read_killed_while_it_runs_is_repeated(self, seen: Seen) -> None:
        healing, work = seen.ours["healing"], seen.ours["work"]
        assert healing["answers"]["repeats"] == work["answers"]["fetches_in_parts"][1]
        assert statements(healing["records"])["repeats"] == [{"what": SELECTS, "times": 2}]

    def test_write_killed_while_it_runs_is_lost_and_recorded_as_failed(self, seen: Seen) -> None:
        healing = seen.ours["healing"]
        assert healing["answers"]["is_lost"][0] == "ConnectionLost"
        # It counts statements, whatever became of them.
        assert statements(healing["records"])["is_lost"] == [
            {"what": SELECTS, "times": 1},
            {"what": UPDATES, "times": 1},
        ]

    def test_commits_and_rollbacks_are_counted(self, seen: Seen) -> None:
        records = seen.ours["work"]["records"]
        for step, operation in (("commits", "commit"), ("rolls_back", "rollback")):
            told = {record["what"]: record["times"] for record in records[step]}
            assert told[f"Datastore/operation/MySQL/{operation}"] == 1


class TestNewRelicLate(SwitchesOnLate):
    tool, module, package = TestNewRelic.tool, TestNewRelic.module, TestNewRelic.package
