"""What is known about a group of equal losses: the rules' only input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django_lifeline.diagnosis.explain.serverlog import Event
from django_lifeline.diagnosis.explain.stack import Context, Step

OUTSIDE_REQUESTS = frozenset(
    {
        Context.CELERY,
        Context.APSCHEDULER,
        Context.RPC,
        Context.COMMAND,
        Context.PROCESS,
        Context.EXECUTOR,
        Context.THREAD,
        Context.SHELL,
        Context.JOB,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Losses of the same shape, together. Spans are seconds, sizes bytes."""

    code: int | None
    """The error's number; ``None`` for errors without one."""
    details: frozenset[str] = frozenset()
    """See `signs.Sign`."""
    certain: bool = True
    driver: str = ""
    step: Step = Step.STATEMENT
    contexts: frozenset[Context] = frozenset()
    first_query: bool = False
    interrupted_by: str = ""
    forked: bool = False
    """Most were in children of a pool of processes."""
    large: bool = False
    """The names of code or job speak of what is large."""
    told: tuple[str, str] = ("", "")
    """The cause that this package's engine noted, and how far it was decided."""
    label: str = ""
    """What became of the work, as the engine noted it: a `Label`'s value."""
    count: int = 1
    processes: int = 1
    at_once: int = 1
    """The most processes that lost a connection within ten seconds."""
    shortest_pause: float | None = None
    longest_pause: float | None = None
    pauses: int = 0
    """How many losses have a known pause before them."""
    follows: int | None = None
    """The number of an earlier loss in the same process that these follow closely."""
    refused_near: bool = False
    """Within two minutes of them a connection was refused, or the server said it shuts down."""
    events: frozenset[Event] = frozenset()
    """What the server's own log tells of the same minutes."""
    variables: Mapping[str, int] = field(default_factory=dict)
    changed_later: Mapping[str, int] = field(default_factory=dict)
    up_since: float | None = None
    """How long before the first of them the server had started; negative: after it."""

    @property
    def outside_requests(self) -> bool:
        """Whether it happened where Django's request signals never fire."""
        return bool(self.contexts & OUTSIDE_REQUESTS) and Context.WEB not in self.contexts
