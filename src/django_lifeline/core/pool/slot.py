"""A place in the pool, with its state and its times."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from django_lifeline.core.pool.connection import Lifetimes, PooledConnection

if TYPE_CHECKING:
    from django_lifeline.core.pool.owners import Owner

C = TypeVar("C", bound=PooledConnection)

RETIRED_GENERATION = -1
"""Of slots that are set aside one by one; no pool's generation is ever this one."""


class IllegalMove(RuntimeError):
    """A slot was to go to a state that its present one does not lead to."""


class State(enum.Enum):
    """Where a slot is. Who may change it: whoever holds it, see `Slot`."""

    CONNECTING = "connecting"
    IDLE = "idle"
    LENT = "lent"
    RESTING = "resting"
    CLOSING = "closing"
    GONE = "gone"

    leads_to: tuple[State, ...]


# A tuple beside each state, compared by identity: an Enum as a dictionary's key would be hashed
# in Python code, on every lend and return.
for _state, _next in {
    State.CONNECTING: (State.LENT, State.CLOSING, State.GONE),
    State.IDLE: (State.LENT, State.CLOSING),
    State.LENT: (State.IDLE, State.RESTING, State.CLOSING),
    State.RESTING: (State.LENT, State.IDLE, State.CLOSING),
    State.CLOSING: (State.CLOSING, State.GONE),
    State.GONE: (),
}.items():
    _state.leads_to = _next


class Hand(Protocol):
    """What a slot knows of the lease that holds it."""

    hold: list[Any]
    """Whoever pops its one element ends the lease."""


def _nobody() -> None:
    return None


class Slot(Generic[C]):
    """A place in the pool.

    It is in one hand at a time: in the idle stack, or in that of its lease. Only that hand
    changes it, so it needs no lock of its own.
    """

    __slots__ = (
        "answers",
        "claim",
        "connection",
        "expires",
        "extra",
        "generation",
        "hung_up",
        "lease",
        "lend_until",
        "lends",
        "max_idle",
        "missed_at_lend",
        "missed_since",
        "own",
        "owner",
        "pinged_at",
        "rested_at",
        "returned",
        "returned_at",
        "state",
        "waited",
    )

    def __init__(self, generation: int) -> None:
        self.state = State.CONNECTING
        self.generation = generation
        self.connection: C | None = None
        self.lease: Callable[[], Hand | None] = _nobody
        """The lease that holds it, weakly: a forgotten lease gives the slot free."""
        self.owner: Owner | None = None
        self.claim: list[None] = []
        """Whoever pops its one element has the resting connection: its owner, or the pool."""
        self.returned = False
        """While it rests: whether its owner is done with it and only keeps it until asked for."""
        self.own = False
        """While it rests: whether it is to stay its owner's, though he is done with it for now."""
        self.answers = False
        """While it rests: its owner may ask about its last statement, so take another first."""
        self.extra = False
        """Whether it was one more than ``max_size`` as it was made."""
        self.hung_up = False
        """Whether its conversation was ended as its owner ended: it is to be cleared away."""
        self.lends = 0
        self.waited = 0.0
        """Seconds that borrowers have waited for it."""
        self.missed_at_lend = -1
        """The number of lends at which a scan first found it in no hand."""
        self.missed_since = 0.0
        self.expires = self.max_idle = self.lend_until = 0.0
        self.returned_at = self.pinged_at = self.rested_at = float("-inf")

    def opened(self, connection: C, now: float, kept: Lifetimes) -> None:
        """Take the new connection in. ``kept`` has its jitter already."""
        self.connection = connection
        self.expires = now + kept.max_lifetime
        self.max_idle = kept.max_idle
        self.lend_until = min(now + self.max_idle, self.expires)

    @property
    def last_answer(self) -> float:
        """When its connection came to rest last: by then the server had answered."""
        return max(self.returned_at, self.rested_at)

    def set_aside(self) -> None:
        """Lend the connection to nobody else: it ends when its borrower gives it back."""
        self.generation = RETIRED_GENERATION

    def move(self, to: State) -> None:
        """Go to the state ``to``; `IllegalMove` if the present one does not lead there."""
        if to not in self.state.leads_to:
            raise IllegalMove(f"A slot that is {self.state.value} cannot become {to.value}.")
        self.state = to

    def __repr__(self) -> str:
        return f"<Slot {self.state.value} {self.connection!r}>"
