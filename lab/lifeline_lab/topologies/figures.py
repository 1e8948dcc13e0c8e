"""From the history of a load to the figures of the results: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

Entry = tuple[float, str, str, str]
"""When a statement was over, ``write`` or ``read``, ``ok`` or an error's number, its row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one arm's load met."""

    writes: int
    failed: dict[str, int]
    """Writes that failed, by the error's number."""
    failed_reads: int
    first_success: float | None
    """Seconds from the moment at which a writable server was there to the first write; the longest
    where it moved more than once. None: there was none."""
    last_failure: float | None
    """Seconds from the first such moment to the last write that failed; None: none failed after."""
    lost: int
    """Rows that were acknowledged and are not stored."""
    connects: int
    """The most connections within one second."""


def figures(
    history: Sequence[Entry], *, ready: Sequence[float], stored: Collection[str], connects: int
) -> Figures:
    """Sum a history up; *ready* are the moments at which a server that takes writes was there."""
    writes = [entry for entry in history if entry[1] == "write"]
    good = [entry for entry in writes if entry[2] == "ok"]
    bad = [entry for entry in writes if entry[2] != "ok"]
    waits = [wait for moment in ready if (wait := _first_after(moment, good)) is not None]
    late = [at - ready[0] for at, *_ in bad if at >= ready[0]]
    return Figures(
        writes=len(writes),
        failed=dict(Counter(code for _, _, code, _ in bad)),
        failed_reads=sum(kind == "read" and code != "ok" for _, kind, code, _ in history),
        first_success=max(waits) if len(waits) == len(ready) else None,
        last_failure=max(late, default=None),
        lost=len({name for *_, name in good} - set(stored)),
        connects=connects,
    )


def _first_after(moment: float, good: Sequence[Entry]) -> float | None:
    return min((at - moment for at, *_ in good if at >= moment), default=None)
