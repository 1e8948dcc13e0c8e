"""Forks while it is connected, lets its children do something, and goes on asking beside them.

SCENARIO says what. Every answer carries a tag; the last line of output counts what went wrong in
the parent and in its children, and tells whether the parent still has the session it had.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from typing import NoReturn

from django.db import Error, connection, connections, transaction
from tests.fixtures.program_setup import SETUP, admin

CHILDREN = 3
ROUNDS = 10
CHILDREN_MAY_TAKE = float(os.environ.get("CHILDREN_MAY_TAKE", "15"))
OURS = SETUP["database"]["ENGINE"].startswith("django_lifeline")

numbers = itertools.count()
counts = {"right": 0, "wrong": 0, "failed": 0, "hung": 0, "crashed": 0}
troubles: list[str] = []


def ask(who: str, rounds: int = ROUNDS) -> None:
    """Ask for things that only this process asks for."""
    for _ in range(rounds):
        tag = f"{who} {os.getpid()} {next(numbers)}"
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT %s, SLEEP(0.002)", [tag])
                found = cursor.fetchall()
        except Error as error:
            counts["failed"] += 1
            troubles.append(f"{who}: {error!r}"[:200])
        else:
            counts["right" if [row[0] for row in found] == [tag] else "wrong"] += 1


def session() -> int:
    """Return the server's id of the session, or 0 where it is lost or says something else."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            return int(cursor.fetchone()[0])
    except (Error, ValueError):
        return 0


class Children:
    """Forked children with the ends of the pipes through which they tell what they saw."""

    def __init__(self) -> None:
        self.pipes: dict[int, int] = {}

    def fork(self, act: Callable[[], object], fork: Callable[[], int] = os.fork) -> None:
        """Fork a child that does ``act``, reports and ends as the scenario wants."""
        reading, writing = os.pipe()
        child = fork()
        if child:
            os.close(writing)
            self.pipes[child] = reading
            return
        os.close(reading)
        for name in counts:
            counts[name] = 0
        troubles.clear()
        me = os.getpid()
        try:
            act()
        finally:
            if os.getpid() != me:  # a child of ours, on its way out
                os.close(writing)
                sys.exit(0)
            os.write(writing, json.dumps([counts, troubles[:3]]).encode())
            os.close(writing)
        sys.exit(0)

    def join(self) -> None:
        """Add up what the children saw; end those that hang."""
        deadline = time.monotonic() + CHILDREN_MAY_TAKE
        for child, pipe in self.pipes.items():
            report = b""
            while select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]:
                piece = os.read(pipe, 65536)
                if not piece:
                    break
                report += piece
            os.close(pipe)
            self._end(child, deadline)
            if report:
                theirs, told = json.loads(report)
                for name, count in theirs.items():
                    counts[name] += count
                troubles.extend(told)

    def _end(self, child: int, deadline: float) -> None:
        while True:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                counts["crashed"] += os.waitstatus_to_exitcode(status) != 0
                return
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                counts["hung"] += 1
                return
            time.sleep(0.01)


def beside(act: Callable[[], object], fork: Callable[[], int] = os.fork) -> None:
    """Fork children that do ``act``, ask beside them, and ask once more when they have ended."""
    children = Children()
    for _ in range(CHILDREN):
        children.fork(act, fork)
        ask("parent", 3)
    ask("parent")
    children.join()
    ask("parent", 3)


def end_at_once() -> NoReturn:
    os._exit(0)


def execute() -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-c", "pass"])


def run_subprocess() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def query() -> None:
    ask("child")


def query_and_end_at_once() -> NoReturn:
    ask("child")
    os._exit(0)


def close() -> None:
    try:
        connections.close_all()
    except Error as error:
        counts["failed"] += 1
        troubles.append(f"child closes: {error!r}")


def close_and_query() -> None:
    close()
    ask("child")


def drop() -> None:
    del connections["default"]
    gc.collect()


def have_children() -> None:
    ask("child", 3)
    children = Children()
    for _ in range(2):
        children.fork(query)
    ask("child")
    children.join()


def fork_in_c() -> int:
    """Fork as uWSGI may: none of Python's hooks runs in the child."""
    return int(ctypes.PyDLL(None).fork())


def in_a_transaction() -> None:
    """The child must not touch the parent's transaction, and the parent's must commit."""
    admin("CREATE TABLE kept (who VARCHAR(20)) ENGINE=InnoDB")
    children = Children()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES ('parent')")
        children.fork(leave_the_transaction)
        children.join()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES ('parent again')")
    stored = sorted(row[0] for row in admin("SELECT who FROM kept"))
    if stored != ["child", "parent", "parent again"]:
        counts["wrong"] += 1
        troubles.append(f"stored: {stored}")


def leave_the_transaction() -> None:
    from django_lifeline.exceptions import ConnectionLost

    try:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES ('child, in its parents transaction')")
    except ConnectionLost as lost:
        counts["right"] += "fork" in str(lost)
    else:
        counts["wrong"] += 1
    # The child is still inside its parent's block; it ends it as an exception would have.
    try:
        transaction.get_connection().atomic_blocks[-1].__exit__(ValueError, ValueError(), None)
    except Error as error:
        counts["failed"] += 1
        troubles.append(f"child leaves the block: {error!r}")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES ('child')")
    ask("child", 3)


def answer(number: int) -> tuple[dict[str, int], list[str]]:
    """What a pool's worker does; it says what it has seen since it was asked last."""
    for name in counts:
        counts[name] = 0
    troubles.clear()
    ask("worker", 1)
    return dict(counts), troubles[:1]


def meet(here: Barrier) -> None:
    """Wait for the others; who takes the place of a process that ended waits in vain."""
    with suppress(threading.BrokenBarrierError):
        here.wait(CHILDREN_MAY_TAKE)


def pool_of(method: str) -> None:
    """A pool of processes works while the parent asks."""
    context = multiprocessing.get_context(method)
    here = context.Barrier(3)  # or one of them is done before another has begun
    with context.Pool(2, initializer=meet, initargs=(here,)) as pool:
        answers = [pool.apply_async(answer, (number,)) for number in range(20)]
        meet(here)
        ask("parent")
        deadline = time.monotonic() + CHILDREN_MAY_TAKE
        for promised in answers:
            try:
                theirs, told = promised.get(max(0.01, deadline - time.monotonic()))
            except multiprocessing.TimeoutError:
                counts["hung"] += 1
                break
            for name, count in theirs.items():
                counts[name] += count
            troubles.extend(told)
    ask("parent", 3)


def from_a_thread() -> None:
    """One thread forks while others are in queries and in the pool's own code."""
    over = threading.Event()

    def be_busy() -> None:
        while not over.is_set():
            ask("thread", 1)
            connection.close()

    def fork_again_and_again() -> None:
        for _ in range(4):
            children = Children()
            for _ in range(2):
                children.fork(query)
            ask("parent", 2)
            children.join()
        connection.close()

    busy = [threading.Thread(target=be_busy) for _ in range(3)]
    forker = threading.Thread(target=fork_again_and_again)
    for thread in [*busy, forker]:
        thread.start()
    forker.join()
    over.set()
    for thread in busy:
        thread.join()


SCENARIOS: dict[str, Callable[[], None]] = {
    "exit": lambda: beside(lambda: None),
    "end-at-once": lambda: beside(end_at_once),
    "exec": lambda: beside(execute),
    "subprocess": lambda: beside(run_subprocess),
    "query": lambda: beside(query),
    "query-end-at-once": lambda: beside(query_and_end_at_once),
    "close": lambda: beside(close),
    "close-query": lambda: beside(close_and_query),
    "drop": lambda: beside(drop),
    "grandchildren": lambda: beside(have_children),
    "fork-in-c": lambda: beside(query, fork_in_c),
    "transaction": in_a_transaction,
    "pool-fork": lambda: pool_of("fork"),
    "pool-forkserver": lambda: pool_of("forkserver"),
    "pool-spawn": lambda: pool_of("spawn"),
    "thread": from_a_thread,
}

if __name__ == "__main__":
    before = session()
    encrypted = ""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        encrypted = cursor.fetchone()[1]
    SCENARIOS[os.environ["SCENARIO"]]()
    report = {
        **counts,
        "same_session": before == session(),
        "encrypted": bool(encrypted),
        "troubles": troubles[:5],
    }
    print(json.dumps(report), flush=True)
