"""The losses of a process, counted and kept for a while."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.model import Diagnosis
from django_lifeline.diagnosis.recent import Count, Losses


def diagnosis(cause: str) -> Diagnosis:
    return Diagnosis(cause=cause, label=Label.NOT_EXECUTED, advice="")


def note(losses: Losses, cause: str, *, healed: bool = True) -> None:
    losses.note(alias="default", pool="p", healed=healed, diagnosis=diagnosis(cause))


def test_latest_come_first_and_only_so_many_are_kept() -> None:
    losses = Losses(kept=3)
    for cause in ("killed", "network_cut", "half_open", "interrupted"):
        note(losses, cause)
    kept = losses.latest()
    assert [each.diagnosis.cause for each in kept] == ["interrupted", "half_open", "network_cut"]
    assert kept[0].as_dict()["cause"] == "interrupted"
    assert kept[0].at >= kept[1].at > 0


def test_all_are_counted_by_cause_and_outcome() -> None:
    losses = Losses(kept=1)
    note(losses, "killed")
    note(losses, "killed")
    note(losses, "killed", healed=False)
    assert losses.counts() == [
        Count(alias="default", cause="killed", healed=False, times=1),
        Count(alias="default", cause="killed", healed=True, times=2),
    ]


def test_forked_child_begins_with_none() -> None:
    losses = Losses()
    note(losses, "killed")
    pid = os.fork()
    if pid == 0:
        begun = losses.counts() == [] and losses.latest() == []
        note(losses, "half_open")
        os._exit(0 if begun and len(losses.latest()) == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(losses.latest()) == 1


def test_threads_that_note_at_once_are_all_counted() -> None:
    losses = Losses()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: note(losses, "killed"), range(400)))
    assert losses.counts()[0].times == 400
