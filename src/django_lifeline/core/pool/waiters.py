"""A borrower in the queue."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Generic

from django_lifeline.core.pool.slot import C

if TYPE_CHECKING:
    from django_lifeline.core.pool.lease import Lease
    from django_lifeline.core.pool.owners import Owner


class Waiter(Generic[C]):
    """One borrower in the queue, and the hand into which the pool puts its lease.

    ``lease`` and ``refusal`` are written and read under the pool's lock. Whatever ends the wait,
    the borrower looks into its hand once more before it goes: that is the acknowledgement.
    """

    __slots__ = ("_bell", "lease", "ledger", "owner", "place", "refusal", "since", "started")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.place = ""
        """Where it asked, noted where it holds a connection already: of no use otherwise."""
        self.lease: Lease[C] | None = None
        self.ledger: object = None
        """The ledger it has joined; a forked child has another one."""
        self.refusal: BaseException | None = None
        """Why another borrower could not connect, which is why this one cannot either."""
        self.since = 0.0
        """When the wait began that is not in the statistics yet."""
        self.started = 0.0
        """When its owner asked for a connection."""
        self._bell = threading.Lock()
        self._bell.acquire()

    def ring(self) -> None:
        """Wake the borrower to look again."""
        with contextlib.suppress(RuntimeError):  # rung already, and not heard yet
            self._bell.release()

    def wait(self, seconds: float) -> bool:
        """Sleep until the bell rings, at most this long; whether it rang."""
        return self._bell.acquire(timeout=seconds)
