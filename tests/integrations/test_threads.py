"""Threads and executors: ours beside the standard library's, on a real server."""

from __future__ import annotations

from tests.integrations.conftest import Run


def test_threads_and_executors_give_back_at_the_end_of_each_task(run: Run) -> None:
    said = run("threads")

    assert said["thread"] == {"answers": [1], "idle": 1, "used": 0}
    assert said["stock_thread"] == {"answers": [1], "idle": 0, "used": 1}

    # The idle loss between the tasks is healed either way: that needs no integration.
    assert said["pool"] == {"right": True, "killed": 4, "idle": 4, "used": 0}
    assert said["stock_pool"] == {"right": True, "killed": 4, "idle": 0, "used": 4}

    polite = {"answers": [1, 2, 3, 4], "held_between_tasks": [0, 0, 0], "aborted": 0}
    assert said["fork"] == {**polite, "processes": 1}
    assert said["spawn"] == {**polite, "processes": 1}
    rude = {"answers": [1, 2, 3, 4], "held_between_tasks": [0, 1, 1], "aborted": 1}
    assert said["stock_fork"] == {**rude, "processes": 1}

    assert said["results_and_errors"] == [3, "LookupError('mine')"]
