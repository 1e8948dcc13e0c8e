"""A piece of work and what may be stored of it; no Django here, so that the laws stay pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Rows = tuple[tuple[Any, ...], ...]

START: Rows = (("a", 1), ("b", 2), ("c", 3))
SHEETS = "SELECT name, number FROM paper_sheet ORDER BY 1, 2"
CLEAN = "DELETE FROM paper_sheet"
UNCHECKED = object()


@dataclass
class Stage:
    """What a workload may use besides Django."""

    alias: str
    client: Any = None
    """Django's test client."""
    hooks: list[str] = field(default_factory=list)
    """What the hooks after a commit have said."""


@dataclass(frozen=True)
class Workload:
    """One piece of work and what may be stored of it."""

    name: str
    run: Callable[[Stage], Any]
    states: tuple[Rows, ...] = (START,)
    """What may be stored: first before, last when it succeeded, between them parts of it."""
    answer: Any = UNCHECKED
    """What it returns, where that matters."""
    whole: bool = True
    """Whether its effect is one, with nothing after it that could be lost by itself."""
    look: str = SHEETS
    """Reads what is stored."""
    clean: tuple[str, ...] = (CLEAN,)
    """Makes the tables empty before it."""
    healed: bool = False
    """A plain read outside a transaction: one loss is not seen."""
    cold: bool = False
    """Begins without a connection."""
    tls: bool = False
    """Is run over TLS as well."""
    hooks: int = 0
    """How many hooks run when it succeeds."""
    swallowed: Rows = ()
    """What a deadlock leaves that it has swallowed; the same with Django's own engine."""

    @property
    def writes(self) -> bool:
        """Whether its success leaves something."""
        return len(self.states) > 1
