"""What is written down of a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Record:
    """What one step did, in plain values."""

    value: Any = None
    error: list[Any] | None = None
    """Class and number."""
    fate: str = ""
    """What this engine says became of the work."""
    exits: list[Any] = field(default_factory=list)
    """What left each block that the error went through."""
    hooks: list[str] = field(default_factory=list)
    flags: list[Any] = field(default_factory=list)
    """The wrapper's in_atomic_block, needs_rollback, and numbers of savepoints and of hooks."""
    flags_of: str = ""
    """Whose flags these are, where the step does not say: a block may be another database's."""
    stored: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)
    skipped: bool = False
