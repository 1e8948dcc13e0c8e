"""What happens in all processes of one start, as lines of one file.

A file and not a table: the chart must go on while the database is gone. Each line is one short
append, which the kernel keeps whole.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

KINDS = ("request", "error", "heal", "connections")
TAIL = 400_000
"""Bytes of the file that a reader looks at."""


def append(path: Path, kind: str, **more: object) -> None:
    """Add a line; where the folder is gone nothing is written, and nobody fails for it."""
    line = json.dumps({"at": round(time.time(), 2), "kind": kind, **more}) + "\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        return
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines at the end of the file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    # The first line may be cut off by the tail, the last one is empty.
    return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]


def series(lines: Iterable[dict[str, Any]], now: float, seconds: int) -> dict[str, list[int]]:
    """Per kind a number for each of the last *seconds* full seconds, the oldest first.

    Things that happen are counted; ``connections`` is a level, and stays until it is told anew.
    """
    first = int(now) - seconds
    counts: Counter[tuple[str, int]] = Counter()
    levels: dict[int, int] = {}
    for line in lines:
        second = int(line["at"])
        if line["kind"] == "connections":
            levels[second] = line["open"]
        else:
            counts[line["kind"], second] += 1
    result = {
        kind: [counts[kind, second] for second in range(first, first + seconds)]
        for kind in KINDS[:-1]
    }
    result["connections"] = _carried_on(levels, range(first, first + seconds))
    return result


def _carried_on(levels: dict[int, int], span: range) -> list[int]:
    before = [second for second in levels if second < span.start]
    level = levels[max(before)] if before else 0
    result = []
    for second in span:
        level = levels.get(second, level)
        result.append(level)
    return result


def health(lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """How the schedule runner fares: its last line says ``ok`` or names an error."""
    last: dict[str, Any] = {}
    for line in lines:
        if line["kind"] in ("round", "error") and line.get("who") == "schedule":
            last = line
    return {"ok": last.get("kind") == "round", "error": last.get("error", ""), "at": last.get("at")}
