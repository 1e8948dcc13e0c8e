"""The pool under gevent, in a process of its own since patching cannot be undone."""

import subprocess
import sys

import pytest

pytest.importorskip("gevent")

PROGRAM = """
from django.conf import settings; settings.configure()  # gevent looks at every object
import django_lifeline.core.pool  # before patching, as an application may do
from gevent import monkey; monkey.patch_all()
import gc
import gevent
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import Pool
from django_lifeline.testing import FakeConnector

connector = FakeConnector(before=lambda: gevent.sleep(0))
pool = Pool("default", PoolOptions(max_size=2, max_waiting=0), connector)
hands = set()
served = []

def borrow(number):
    lease = pool.lease(20)
    assert lease.connection not in hands
    hands.add(lease.connection)
    try:
        gevent.sleep(0.001)
    finally:
        hands.discard(lease.connection)
        if number % 3:
            pool.give_back(lease)  # the others just end
    served.append(number)

# Greenlets share the connections, and half of those that wait are killed.
greenlets = [gevent.spawn(borrow, number) for number in range(60)]
gevent.sleep(0)
assert pool.stats().waiting > 20, pool
for greenlet in greenlets[10::2]:
    greenlet.kill()
gevent.joinall(greenlets, timeout=30, raise_error=True)
assert len(served) == 35, len(served)
del greenlets, greenlet
gc.collect()

# Killed at the moment of the hand-over.
held = [pool.lease(20) for _ in range(2)]
waiting = gevent.spawn(pool.lease, 20)
gevent.sleep(0)
assert pool.stats().waiting == 1
waiting.kill(block=False)
pool.give_back(held.pop())  # into the hand of one who is already to die
assert pool.stats().idle == 0
waiting.join()
assert pool.stats().waiting == 0
assert pool.stats().idle == 1, pool

# Killed while connecting.
pool.drain()
connecting = gevent.spawn(pool.lease, 20)
gevent.sleep(0)
assert pool.stats().connecting == 1, pool
connecting.kill()
assert pool.stats().connecting == 0, pool

# A greenlet that ended has given its slot back, though its lease is still referred to.
pool.give_back(held.pop())
kept = [gevent.spawn(pool.lease, 20) for _ in range(2)]
gevent.joinall(kept, raise_error=True)
leases = [greenlet.value for greenlet in kept]
del kept
again = [pool.lease(5) for _ in range(2)]
assert not any(lease.resume() for lease in leases)
assert {lease.connection for lease in again}.isdisjoint(lease.connection for lease in leases)
assert len(connector.living) == 2

# One greenlet that wants more than there is would wait for itself.
from django_lifeline.exceptions import PoolDeadlock
try:
    pool.lease(20)
except PoolDeadlock:
    print("fine")
"""


def test_greenlets_share_the_pool_and_dead_ones_leave_no_slot_behind():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=90
    )
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr
