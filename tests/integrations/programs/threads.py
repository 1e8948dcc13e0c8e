"""The executors of `django_lifeline.integrations.threads` beside the standard library's."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from typing import Any

from tests.integrations.programs.watch import (
    aborted,
    ask,
    kill_all,
    say,
    sessions_of_this_database,
    state,
    wait_until,
)

from django_lifeline.integrations import threads

WORKERS = 4


def in_pool(kind: type[concurrent.futures.Executor]) -> dict[str, Any]:
    """Ask from several threads, lose all connections while they are idle, and ask again."""
    gate = threading.Barrier(WORKERS)

    def task(number: int) -> int:
        answer = int(ask(number))
        gate.wait()
        return answer

    with kind(WORKERS) as pool:
        before = list(pool.map(task, range(WORKERS)))
        left = state()
        killed = kill_all()
        after = list(pool.map(task, range(WORKERS)))
    return {
        "right": before == after == list(range(WORKERS)),
        "killed": killed,
        "idle": left["idle"],
        "used": left["used"],
    }


def in_thread(kind: type[threading.Thread]) -> dict[str, Any]:
    """The pool right after a thread has ended, before anybody borrows."""
    answers: list[int] = []
    thread = kind(target=lambda: answers.append(ask(1)))
    thread.start()
    thread.join()
    left = state()
    return {"answers": answers, "idle": left["idle"], "used": left["used"]}


def look(number: int) -> list[int]:
    """In a worker process: what the task before left in its hands, and what it asks."""
    left = state()["used"]
    return [os.getpid(), left, int(ask(number))]


def in_processes(kind: type[concurrent.futures.Executor], method: str) -> dict[str, Any]:
    """Two tasks and one after an idle loss in a single worker process, then its end."""
    ask()
    with kind(1, mp_context=multiprocessing.get_context(method)) as pool:
        looks = [pool.submit(look, number).result() for number in (1, 2)]
        kill_all()
        before_the_end = aborted()
        looks.append(pool.submit(look, 3).result())
        parent = ask(4)
    wait_until(lambda: len(sessions_of_this_database()) == 1, "for the worker's session to end")
    return {
        "answers": [*(answer for _, _, answer in looks), parent],
        "held_between_tasks": [left for _, left, _ in looks],
        "processes": len({pid for pid, _, _ in looks} - {os.getpid()}),
        "aborted": aborted() - before_the_end,
    }


def results_and_errors() -> list[Any]:
    """What a task returned from positional and named arguments, and what one raised."""

    def fail() -> None:
        raise LookupError("mine")

    with threads.ThreadPoolExecutor(1) as pool:
        added = pool.submit(lambda a, b: a + b, 1, b=2).result()
        return [added, repr(pool.submit(fail).exception())]


def main() -> None:
    stock, ours = concurrent.futures, threads
    report = {
        "thread": in_thread(threads.Thread),
        "pool": in_pool(ours.ThreadPoolExecutor),
    }
    kill_all()
    report["stock_thread"] = in_thread(threading.Thread)
    kill_all()
    report["stock_pool"] = in_pool(stock.ThreadPoolExecutor)
    report["fork"] = in_processes(ours.ProcessPoolExecutor, "fork")
    report["spawn"] = in_processes(ours.ProcessPoolExecutor, "spawn")
    report["stock_fork"] = in_processes(stock.ProcessPoolExecutor, "fork")
    report["results_and_errors"] = results_and_errors()
    say(report)


if __name__ == "__main__":
    main()
