"""What work is called on metrics and spans, and how many names there may be."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async

from django_lifeline.integrations.work import LONGEST, FewNames, current_work, named_work


def send_mails(heard: list[str]) -> None:
    heard.append(current_work())


def in_thread(name: str | None = None, target: Callable[[list[str]], None] = send_mails) -> str:
    """What work is called in a thread of this name."""
    heard: list[str] = []
    thread = threading.Thread(target=target, name=name, args=(heard,))
    thread.start()
    thread.join()
    return heard[0]


def test_block_names_what_happens_in_it_and_the_innermost_counts() -> None:
    with named_work("morning mail"):
        with named_work("one recipient"):
            assert current_work() == "one recipient"
        assert current_work() == "morning mail"
    assert current_work() == "MainThread"


def test_block_names_the_threads_that_asynchronous_code_runs_in_and_not_its_neighbours() -> None:
    async def consume(name: str) -> str:
        with named_work(name):
            await asyncio.sleep(0)
            async with ThreadSensitiveContext():
                return str(await sync_to_async(current_work)())

    async def both() -> list[str]:
        return list(await asyncio.gather(consume("prices"), consume("orders")))

    assert asyncio.run(both()) == ["prices", "orders"]


def test_thread_without_a_name_is_called_like_its_function() -> None:
    assert in_thread() == "send_mails"


@pytest.mark.parametrize(
    ("thread", "work"),
    [
        ("ThreadPoolExecutor-0_3", "ThreadPoolExecutor"),
        ("Dummy-12", "Dummy"),
        ("worker 7", "worker"),
        ("scheduler", "scheduler"),
        ("v2 poller", "v2 poller"),
        ("42", "thread"),
    ],
)
def test_named_threads_are_called_so_without_their_numbers(thread: str, work: str) -> None:
    assert in_thread(thread) == work


def test_long_name_is_cut() -> None:
    with named_work("x" * 1000):
        assert current_work() == "x" * LONGEST


def test_celerys_task_is_named_by_celery_itself() -> None:
    celery = pytest.importorskip("celery")
    app = celery.Celery(broker="memory://")
    task = app.task(current_work, name="shop.send_mails")
    assert task.apply().get() == "shop.send_mails"
    with named_work("morning mail"):
        assert task.apply().get() == "morning mail"
    assert current_work() == "MainThread"


def test_framework_that_fails_to_answer_costs_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rq", SimpleNamespace())
    assert current_work() == "MainThread"


def name_of(few: FewNames, work: str) -> Any:
    with named_work(work):
        return few.current()


def test_no_more_names_than_the_limit_are_told_apart() -> None:
    few = FewNames(2)
    told = [name_of(few, work) for work in ("a", "b", "c", "a", "d", "b")]
    assert told == ["a", "b", "other", "a", "other", "b"]


def test_no_name_is_told_where_the_limit_is_zero() -> None:
    assert name_of(FewNames(0), "a") == ""
