"""Asks too much of a pool, a server or a network, and tells what came of it.

SCENARIO says how. The last line of output is what was seen.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
from django.db import OperationalError, connection, transaction
from tests.fixtures.program_setup import SETUP, admin

DATABASE = SETUP["database"]
POOL = DATABASE["OPTIONS"].get("pool", {})
MAX_SIZE = POOL.get("max_size", 0)
GEVENT = SETUP["gevent"]
Seen = dict[str, Any]

numbers = itertools.count()


def ask(who: str = "somebody", pause: float = 0.0, wrapper: Any = connection) -> bool:
    """Ask for a row that nobody else asks for; whether that was the one that came."""
    tag = f"{who} {next(numbers)}"
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT %s, SLEEP(%s)", [tag, pause])
        return bool(cursor.fetchone()[0] == tag)


def sessions() -> int:
    """How many sessions the server has for us."""
    [[count]] = admin(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = %s AND user = %s",
        DATABASE["NAME"],
        DATABASE["USER"],
    )
    return int(count)


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until it holds; whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def run_all(works: list[Callable[[], object]]) -> list[BaseException]:
    """Run each in a thread (under gevent a greenlet) of its own; the errors they ended with."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def error_of(work: Callable[[], object]) -> Seen:
    """Run it; what it raised, as far as Django's users see it, and how long that took."""
    began = time.monotonic()
    try:
        work()
    except OperationalError as error:
        found: Seen = {"kind": type(error).__name__, "number": error.args[0], "text": str(error)}
    else:
        found = {"kind": ""}
    return {**found, "seconds": time.monotonic() - began}


@contextmanager
def holder() -> Any:
    """Somebody else holds a connection inside ``atomic`` for the length of the block."""
    holds, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            ask("holder")
            holds.set()
            over.wait()
        connection.close()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    holds.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def borrow_all_at_once() -> int:
    """Hold as many connections as the pool may have; how many of them answered."""
    here = threading.Barrier(MAX_SIZE, timeout=20)
    right = []

    def hold() -> None:
        with transaction.atomic():
            right.append(ask("all"))
            here.wait()
        connection.close()

    errors = run_all([hold] * MAX_SIZE)
    return sum(right) - len(errors)


def many_threads() -> Seen:
    """Fifty threads work, and the server's sessions are counted all the while."""
    most, right = [0], []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            most[0] = max(most[0], sessions())
            time.sleep(0.005)

    def work() -> None:
        right.extend(ask("worker", 0.005) for _ in range(8))
        connection.close()

    counter = threading.Thread(target=count)
    counter.start()
    errors = run_all([work] * 50)
    over.set()
    counter.join()
    return {"most": most[0], "right": sum(right), "errors": [repr(error) for error in errors[:3]]}


def nothing_free() -> Seen:
    """A borrower waits for a connection that does not come back."""
    with holder():
        found = error_of(ask)
    return {**found, "after": ask()}


def queue_full() -> Seen:
    """The queue is as long as it may get, and one more comes."""
    pool = connection.pool
    with holder():
        waiting = [threading.Thread(target=ask) for _ in range(POOL["max_waiting"])]
        for thread in waiting:
            thread.start()
        eventually(lambda: pool.stats().waiting == len(waiting))
        found = error_of(ask)
        found["still_waiting"] = pool.stats().waiting
    for thread in waiting:
        thread.join()
    return {**found, "after": ask()}


def own_deadlock() -> Seen:
    """A thread holds every connection inside ``atomic`` and wants one more."""
    others = [connection.copy() for _ in range(MAX_SIZE)]
    with transaction.atomic():
        ask()
        for other in others[:-1]:
            other.set_autocommit(False)
            ask("other", wrapper=other)
        found = error_of(lambda: ask("last", wrapper=others[-1]))
    for other in others[:-1]:
        other.rollback()
        other.set_autocommit(True)
        other.close()
    return {**found, "after": ask("last", wrapper=others[-1])}


def ending(work: Callable[[], object]) -> Seen:
    """Thirty threads end without closing, and no garbage is collected."""
    gc.disable()
    errors: list[BaseException] = []
    for _ in range(30):
        errors += run_all([work])
    found = {"errors": [repr(error) for error in errors[:3]], "sessions": sessions()}
    if MAX_SIZE:
        found |= {
            "borrowed": borrow_all_at_once(),
            "bounded": eventually(lambda: sessions() <= MAX_SIZE),
        }
    return found


def ended_threads() -> Seen:
    """They end with a connection in their hands."""
    return ending(ask)


def ended_in_atomic() -> Seen:
    """They end inside a transaction that has written."""
    admin("CREATE TABLE written (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB")

    def work() -> None:
        transaction.atomic().__enter__()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO written VALUES ()")

    found = ending(work)
    [[stored]] = admin("SELECT COUNT(*) FROM written")
    return {**found, "stored": stored}


def ended_at_once() -> Seen:
    """Thirty threads end at the same time, most of them after a wait in the queue."""
    gc.disable()
    errors = run_all([ask] * 30)
    return {
        "errors": [repr(error) for error in errors[:3]],
        "borrowed": borrow_all_at_once(),
        "bounded": eventually(lambda: sessions() <= MAX_SIZE),
    }


def ended_crowd() -> Seen:
    """Thirty threads have a connection each, end together, and the process falls silent."""
    gc.disable()
    there = threading.Barrier(30)

    def work() -> None:
        ask("worker")
        there.wait(20.0)

    errors = run_all([work] * 30)
    kept = 9  # a sixteenth of what the server takes
    few = eventually(lambda: sessions() <= kept)
    return {
        "errors": [repr(error) for error in errors[:3]],
        "few": few,
        "agreed": eventually(lambda: connection.pool.stats().size == sessions()),
        "borrowed": ask(),
    }


def resting_threads() -> Seen:
    """More threads than connections live long, and each works now and then."""
    admin("CREATE TABLE given (id INT AUTO_INCREMENT PRIMARY KEY, who VARCHAR(50)) ENGINE=InnoDB")
    rounds, threads = 15, 12
    step = threading.Barrier(threads, timeout=30)
    seen = {"right": 0, "wrong": 0, "told": 0}
    lock = threading.Lock()

    def note(outcome: str) -> None:
        with lock:
            seen[outcome] += 1

    def insert(who: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO given (who) VALUES (%s)", [who])
            return int(cursor.lastrowid)

    def last_id() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT LAST_INSERT_ID()")
            return int(cursor.fetchone()[0])

    def work(name: str) -> None:
        for number in range(rounds):
            step.wait()
            note("right" if ask(name) else "wrong")
            with transaction.atomic():
                mine = insert(f"{name} {number}")
                note("right" if last_id() == mine else "wrong")
            mine = insert(name)
            try:
                note("right" if last_id() == mine else "wrong")
            except OperationalError:
                note("told")  # its connection was lent to another meanwhile

    errors = run_all([lambda name=f"thread {n}": work(name) for n in range(threads)])
    return {
        **seen,
        "wanted": rounds * threads * 3,
        "errors": [repr(error) for error in errors[:3]],
        "sessions": sessions(),
        "recalls": connection.pool.stats().recalls,
    }


@contextmanager
def paused_server() -> Any:
    """The server's process is stopped: the kernel takes connections, and nothing answers."""
    pid = SETUP["server"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: all_threads_stopped(pid))
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def all_threads_stopped(pid: int) -> bool:
    """Whether none of its threads can answer any more: a signal takes a moment to reach all."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def paused() -> Seen:
    """The server is stopped while a connection is open, and while one is wanted."""

    ask()
    wire = connection.connection
    connection.close()
    with paused_server():
        query = error_of(ask)
        connect = error_of(lambda: ask("new", wrapper=connection.copy()))
    lease = connection.pool.lease()
    with paused_server():
        began = time.monotonic()
        ping = {"alive": lease.connection.ping_within(1), "seconds": time.monotonic() - began}
    connection.pool.discard(
        lease, __import__("django_lifeline.core.events").core.events.Reason.DEAD
    )
    return {
        "query": query,
        "connect": connect,
        "ping": ping,
        "closed": bool(wire.closed),
        "after": ask(),
        "borrowed": borrow_all_at_once(),
    }


def blackhole() -> Seen:
    """A network that carries nothing any more, without a word to either side."""
    from lifeline_lab.wire import WireProxy

    with WireProxy(SETUP["server"]["host"], SETUP["server"]["port"]) as proxy:
        connection.settings_dict["PORT"] = proxy.port
        ask()
        proxy.blackhole()
        query = error_of(ask)
        connect = error_of(ask)
        proxy.resume()
        return {"query": query, "connect": connect, "after": ask()}


def write() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE never_made (id INT)")


def in_a_block(work: Callable[[], object]) -> None:
    with transaction.atomic():
        work()


def patience() -> Seen:
    """The driver stops waiting, in a black hole and at a frozen server."""
    from lifeline_lab.wire import WireProxy

    port = SETUP["server"]["port"]
    found = {}
    for name, work in {"read": ask_plainly, "block": lambda: in_a_block(write)}.items():
        with WireProxy(SETUP["server"]["host"], port) as proxy:
            connection.settings_dict["PORT"] = proxy.port
            ask()
            proxy.blackhole()
            found[f"{name}, black hole"] = error_of(work)
            connection.close()
    connection.settings_dict["PORT"] = port
    for name, work in {"read": ask_plainly, "write": write}.items():
        ask()
        with paused_server():
            found[f"{name}, frozen"] = error_of(work)
        connection.close()
    return {"told": found, "after": ask()}


def ask_plainly() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 7")


def socket_options() -> Seen:
    """What the kernel has been told about the connection."""
    ask()
    wire = connection.connection
    fd = wire.fileno() if hasattr(wire, "fileno") else wire._sock.fileno()
    with socket.socket(fileno=os.dup(fd)) as same:
        return {
            "keepalive": same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            "idle": same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            "user_timeout": same.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
        }


def refused() -> Seen:
    """The server has no room, and then has."""
    others = []
    while True:
        try:
            others.append(
                pymysql.connect(
                    unix_socket=SETUP["server"]["socket"],
                    user=DATABASE["USER"],
                    password=DATABASE["PASSWORD"],
                    ssl_disabled=True,
                )
            )
        except pymysql.err.OperationalError:
            break
    first = error_of(ask)
    errors = run_all([ask] * 20)
    kinds = sorted({type(error).__name__ for error in errors})
    crowd = {"errors": len(errors), "kinds": kinds, "texts": [str(error) for error in errors]}
    others.pop().close()
    eventually(lambda: not error_of(ask)["kind"])
    connection.close()
    # One connection may be had, the others are refused: whoever waits is told why.
    with holder():
        told = error_of(ask)
    for other in others:
        other.close()
    eventually(lambda: sessions() <= 1)
    return {"first": first, "crowd": crowd, "told": told, "borrowed": borrow_all_at_once()}


SCENARIOS: dict[str, Callable[[], Seen]] = {
    name: globals()[name]
    for name in (
        "many_threads nothing_free queue_full own_deadlock ended_threads ended_in_atomic "
        "ended_at_once ended_crowd resting_threads paused patience blackhole socket_options refused"
    ).split()
}
print(json.dumps(SCENARIOS[os.environ["SCENARIO"]]()))
