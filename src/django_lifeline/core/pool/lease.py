"""A slot in a borrower's hand."""

from __future__ import annotations

from collections.abc import Sized
from typing import Generic, Protocol

from django_lifeline.core.pool.slot import C, Slot, State

_LENT, _RESTING = State.LENT, State.RESTING


class Lender(Protocol):
    """What a lease needs of the pool it came from."""

    generation: int

    @property
    def waiters(self) -> Sized:
        """Those who wait for a connection."""

    def now(self) -> float:
        """The pool's time, in seconds."""

    def settle(self) -> None:
        """Give the waiters what there is for them."""


class Left(Protocol):
    """What a borrower leaves behind in the connection."""

    @property
    def clean(self) -> bool:
        """Whether the next one may see it."""


class Lease(Generic[C]):
    """The right to use one connection, until it is given back, discarded or recalled.

    Keep it as long as you use the connection: a lease that nobody refers to any more counts as
    abandoned, and its connection is discarded.
    """

    __slots__ = ("__weakref__", "_lender", "claim", "connection", "fresh", "hold", "slot")

    def __init__(self, lender: Lender, slot: Slot[C], connection: C) -> None:
        self._lender = lender
        self.slot = slot
        self.connection = connection
        """The driver's connection. Not to be touched once the lease has ended."""
        self.fresh = False
        """Whether the connection was opened for this lease and was never lent before."""
        self.claim: list[None] | None = None
        """The slot's claim of the same name while the lease rests, None while it does not."""
        self.hold = [slot]
        """Whoever pops its one element ends the lease, and nobody else does."""

    @property
    def due(self) -> bool:
        """Whether the connection should be given back at a quiet moment, to be replaced."""
        slot, lender = self.slot, self._lender
        return slot.generation != lender.generation or lender.now() >= slot.expires

    def __del__(self) -> None:
        # Forgotten in the middle of something: the server shall let go of its locks at once.
        # Nothing of it is there yet where something broke in as it was made. What rested may be
        # lent to somebody else at this very moment, and was left in good order.
        if getattr(self, "hold", None) and self.claim is None and self.slot.state is _LENT:
            self.connection.hang_up()

    def rest(
        self, now: float | None = None, *, answers: bool = False, left: Left | None = None
    ) -> bool:
        """Leave the connection unused for now: it stays yours until somebody waits for one.

        ``now`` is the pool's time, for those who have just read it. With ``answers`` you may want
        to ask about the last statement: whoever waits is given another connection where he can.
        Do not touch it again before `resume` has returned True. The session must be in a state
        that the next borrower may see: where ``left`` says otherwise, asked last of all since a
        signal handler may have come, it is left in hand, and False is returned.
        """
        if self.claim is not None or not self.hold:
            return True
        slot, lender = self.slot, self._lender
        slot.rested_at = lender.now() if now is None else now
        if left is not None and not left.clean:
            return False
        slot.returned = slot.own = False
        slot.answers = answers
        self.claim = slot.claim = [None]
        if slot.state is _LENT:
            slot.state = _RESTING
        elif slot.state is not _RESTING:  # a signal handler may have come before
            slot.move(State.RESTING)
        if lender.waiters:
            lender.settle()
        return True

    def stop_resting(self) -> bool:
        """Take the claim back, to end the lease; False: the connection was recalled."""
        claim = self.claim
        if claim is None:
            return True
        try:
            claim.pop()
        except IndexError:
            return False
        self.claim = None
        return True

    def resume(self) -> bool:
        """Use the connection again; False: it was recalled, lease anew."""
        claim = self.claim
        if claim is None:
            return bool(self.hold)
        try:
            claim.pop()
        except IndexError:
            return False
        if not self.hold:
            return False
        if self.slot.state is _RESTING:  # not so when something broke into rest()
            self.slot.state = _LENT
        self.claim = None
        return True

    def __repr__(self) -> str:
        return f"<Lease of {self.slot!r}{'' if self.hold else ', ended'}>"
