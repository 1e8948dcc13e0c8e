"""Tells of one comparison: as text for the terminal, as plain values for JSON."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO

import django

from lifeline_lab.suite.comparison import Difference, Run, gained, lost

SHOWN_TESTS = 50
SHOWN_DETAIL = 800


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arms of one server and driver."""

    server: str
    driver: str
    labels: tuple[str, ...]
    runs: Mapping[str, Run]

    @property
    def lost(self) -> list[Difference]:
        """Tests that are well with stock and not with ours; without both arms there are none."""
        return lost(self.runs["stock"], self.runs["lifeline"]) if self._both else []

    @property
    def gained(self) -> list[Difference]:
        """Tests that are better with ours."""
        return gained(self.runs["stock"], self.runs["lifeline"]) if self._both else []

    @property
    def _both(self) -> bool:
        return {"stock", "lifeline"} <= set(self.runs)

    @property
    def as_wanted(self) -> bool:
        """Whether nothing was lost, nothing crashed with ours, and there was something to run."""
        ran = all(run.outcomes for run in self.runs.values())
        ours = self.runs.get("lifeline")
        return ran and not self.lost and not (ours and ours.crashes)

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain values, with the tests that did not pass."""
        return {
            "django": django.get_version(),
            "python": platform.python_version(),
            "server": self.server,
            "driver": self.driver,
            "labels": list(self.labels),
            "arms": {name: _run_as_json(run) for name, run in self.runs.items()},
            "lost": [asdict(difference) for difference in self.lost],
            "gained": [asdict(difference) for difference in self.gained],
        }

    def show(self, out: TextIO = sys.stdout) -> None:
        """Print the counts and the differences."""
        print(f"Django {django.get_version()}, {self.server}, {self.driver}:", file=out)
        for name, run in self.runs.items():
            counts = ", ".join(f"{number} {what}" for what, number in run.counts().items())
            print(f"  {name:8} {len(run.outcomes)} in {run.seconds:.0f} s: {counts}", file=out)
            for crash in run.crashes:
                print(f"  {name:8} a process {crash}", file=out)
        if not self._both:
            for run in self.runs.values():
                _show("not passed", run.not_passed(), out)
            return
        _show("well with stock and not with lifeline", self.lost, out)
        _show("better with lifeline", self.gained, out)


def _show(title: str, found: Sequence[Difference], out: TextIO) -> None:
    print(f"  {title}: {len(found) or 'none'}", file=out)
    for difference in found[:SHOWN_TESTS]:
        print(f"    {difference.test}: {_change(difference)}", file=out)
        for line in difference.detail[-SHOWN_DETAIL:].splitlines():
            print(f"        {line}", file=out)


def _change(difference: Difference) -> str:
    return " → ".join(filter(None, (difference.stock, difference.lifeline)))


def _run_as_json(run: Run) -> dict[str, Any]:
    return {
        "counts": run.counts(),
        "seconds": round(run.seconds, 1),
        "not_passed": {
            test: found.outcome for test, found in sorted(run.outcomes.items()) if found.bad
        },
        "crashes": run.crashes,
    }


def table(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of comparisons as `Comparison.as_json` gives them."""
    lines = [
        "| Django | Python | server | driver | labels | arm | passed | expected failure | skipped "
        "| failed, error | seconds | lost |",
        "|---" * 12 + "|",
    ]
    for found in comparisons:
        for arm, run in found["arms"].items():
            counts = dict(run["counts"])
            good = [counts.pop(name, 0) for name in ("passed", "expected failure", "skipped")]
            fewer = len(found["lost"]) if arm == "lifeline" else ""
            cells = [
                *(found[name] for name in ("django", "python", "server", "driver")),
                *(len(found["labels"]), arm, *good, sum(counts.values())),
                *(f"{run['seconds']:.0f}", fewer),
            ]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
