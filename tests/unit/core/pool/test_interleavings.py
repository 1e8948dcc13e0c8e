"""Real threads in random order, and exceptions that break in anywhere."""

import ctypes
import random
import sys
import threading
import time

import pytest

from django_lifeline.core.events import Reason
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import Pool
from django_lifeline.exceptions import PoolTimeout
from django_lifeline.testing import FakeConnection

SWITCH_INTERVAL = 1e-4


@pytest.fixture(autouse=True)
def frequent_switches():
    """Let threads interrupt each other about as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(before)


class Guarded(FakeConnection):
    """Notices when it is in two hands at once."""

    clashes = 0

    def __init__(self):
        super().__init__()
        self._hand = threading.Lock()

    def use(self):
        if not self._hand.acquire(blocking=False):
            Guarded.clashes += 1
            return
        try:
            if not self.open:
                Guarded.clashes += 1
            for _ in range(3):  # somewhere to be interrupted
                self.busy = True
                self.busy = False
        finally:
            self._hand.release()


class Broken(BaseException):
    """What is thrown into a borrower."""


def borrow_at_random(pool, chance, rounds):
    """Everything that a borrower may do, except being polite about it."""
    for _ in range(rounds):
        lease = None  # a borrower who still holds one while asking may be told of a deadlock
        lease = pool.lease(10)
        lease.connection.use()
        turn = chance.random()
        if turn < 0.4:
            lease.rest()
            if chance.random() < 0.5 and not pool.leave(lease):
                pool.give_back(lease)
                continue
            if chance.random() < 0.5:
                if not lease.resume():
                    continue
                lease.connection.use()
        if turn < 0.05:
            pool.discard(lease, Reason.LOST)
        elif turn < 0.1:
            continue
        elif turn < 0.12:
            lease.connection.dead = True
            pool.give_back(lease)
        elif turn < 0.14:
            pool.retire_generation()
            pool.give_back(lease)
        else:
            pool.give_back(lease)


def in_threads(count, work):
    failures = []

    def run(number):
        try:
            work(number)
        except Broken:
            pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads, failures


def assert_all_slots_are_back(pool, size):
    """``size`` borrowers get a connection of their own each, and none is left over."""
    leases = [pool.lease(10) for _ in range(size)]
    assert len({lease.connection for lease in leases}) == size
    assert pool.stats().size == size
    for lease in leases:
        pool.give_back(lease)
    stats = pool.stats()
    assert (stats.idle, stats.used, stats.waiting, stats.connecting) == (size, 0, 0, 0)


@pytest.mark.parametrize("seed", range(15))
def test_random_borrowers_never_share_a_connection_and_return_all_slots(seed):
    Guarded.clashes = 0
    chance = random.Random(seed)
    size = chance.randint(1, 4)
    pool = Pool("default", PoolOptions(max_size=size, max_waiting=0), Guarded)
    seeds = [chance.random() for _ in range(8)]
    threads, failures = in_threads(
        8, lambda number: borrow_at_random(pool, random.Random(seeds[number]), 25)
    )
    for thread in threads:
        thread.join()
    assert failures == []
    assert Guarded.clashes == 0
    assert pool.stats().size <= size
    assert_all_slots_are_back(pool, size)


@pytest.mark.parametrize("seed", range(5))
def test_exceptions_thrown_into_borrowers_lose_no_slot(seed, monkeypatch):
    # Python drops what comes in a finalizer, and tells this: not in Python code, where the next
    # exception could come.
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    Guarded.clashes = 0
    chance = random.Random(seed)
    size = 3
    pool = Pool("default", PoolOptions(max_size=size, max_waiting=0), Guarded)
    over = threading.Event()

    def work(number):
        # A tracer runs between the lines, and what is thrown there leaves a `with` block by a way
        # on which Python does not release its lock.
        sys.settrace(None)
        own = random.Random(seed * 100 + number)
        while not over.is_set():
            try:
                borrow_at_random(pool, own, 5)
            except Broken:
                continue

    threads, failures = in_threads(6, work)
    for _ in range(80):
        time.sleep(chance.random() * 1e-3)
        victim = chance.choice(threads)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(victim.ident), ctypes.py_object(Broken)
        )
    over.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert [error for error in failures if not isinstance(error, PoolTimeout)] == []
    assert {each.exc_type for each in dropped} <= {Broken}
    dropped.clear()
    assert Guarded.clashes == 0
    assert_all_slots_are_back(pool, size)
