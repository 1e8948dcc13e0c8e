"""Whoever ends, or forgets what he has, lets go of his own connection and of nobody else's.

What was at rest may be lent on at that very moment, between any two steps.
"""

from __future__ import annotations

import weakref
from typing import Any, cast

from django_lifeline.core.pool import opening
from django_lifeline.core.pool.slot import State
from django_lifeline.testing import FakeConnection


def test_forgotten_lease_leaves_alone_what_the_next_borrower_has(make_pool: Any) -> None:
    pool = make_pool()
    lease = pool.lease()
    slot = lease.slot
    lease.rest()
    pool.leave(lease)
    other = pool.lease()
    assert other.slot is slot
    lease.hold = [slot]  # as it was when the lease was looked at, or has been collected
    del lease
    assert not other.connection.dead


def test_owner_who_ends_leaves_alone_what_is_lent_on_at_that_moment() -> None:
    class LentOn:
        """A slot that rests until somebody looks whose it is."""

        state = State.RESTING
        connection = FakeConnection()

        @property
        def owner(self) -> object:
            self.state = State.LENT
            return ended

    class Known:
        slots = (LentOn(),)

        def take_left_over(self) -> list[Any]:
            return []

    ended, known = object(), Known()
    opening._hang_up(cast(Any, weakref.ref(known)), cast(Any, ended))
    assert not LentOn.connection.dead
