"""What the runs of one package say: for the terminal, as plain values, and as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from lifeline_lab.suite.comparison import Difference, Run, gained, lost

SHOWN_TESTS = 30
SHOWN_DETAIL = 1200
GOOD = ("passed", "expected failure")
PLACE = ("package", "server", "driver")
"""What tells one result from another: a newer one takes the older one's place."""

INTRODUCTION = """\
# Test suites of other packages, as measured

Written by `scripts/suites --results docs/results`; each line is from its last run.
[How they are run](../suites.md). "Lost" counts the tests that are well with stock Django's engine
and not with this one. "Left open" counts the server's sessions in test databases that had been
dropped, after the last test; with stock Django and with this engine.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """A package's tests on one server with one driver, engine beside engine."""

    package: str
    version: str
    server: str
    driver: str
    used: Mapping[str, str]
    """Versions, and the date."""
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
        """Whether tests ran, nothing was lost, and ours neither crashed nor left a session more."""
        ran = all(_passed(run) for run in self.runs.values())
        ours = self.runs.get("lifeline", Run())
        allowed = self.runs["stock"].left_open if self._both else 0
        return ran and not self.lost and not ours.crashes and ours.left_open <= allowed

    def as_json(self) -> dict[str, Any]:
        """Return plain values, with the tests that did not pass."""
        return {
            **{name: getattr(self, name) for name in ("package", "version", "server", "driver")},
            "used": dict(self.used),
            "arms": {name: _run_as_json(run) for name, run in self.runs.items()},
            "lost": [asdict(difference) for difference in self.lost],
            "gained": [asdict(difference) for difference in self.gained],
        }

    def show(self, out: TextIO = sys.stdout) -> None:
        """Print the counts and the differences."""
        print(f"{self.package} {self.version}, {self.server}, {self.driver}:", file=out)
        for name, run in self.runs.items():
            counts = ", ".join(f"{number} {what}" for what, number in run.counts().items())
            left = f"; {run.left_open} sessions left open" if run.left_open else ""
            print(f"  {name:8} {run.seconds:.0f} s: {counts or 'nothing ran'}{left}", file=out)
            for crash in run.crashes:
                print(f"  {name:8} a process {crash}", file=out)
        if self._both:
            _show("well with stock and not with lifeline", self.lost, out)
            _show("better with lifeline", self.gained, out)
        else:
            for run in self.runs.values():
                _show("not passed", run.not_passed(), out)


def write(results: Iterable[Result], folder: Path) -> None:
    """Put the results into ``suites.json``, beside those of other places, and write its table."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "suites.json"
    known = json.loads(file.read_text()) if file.exists() else []
    places = {_place(found): found for found in known}
    places |= {_place(found): found for found in (result.as_json() for result in results)}
    listed = [places[place] for place in sorted(places)]
    file.write_text(json.dumps(listed, indent=1) + "\n")
    (folder / "suites.md").write_text(as_markdown(listed))


def as_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the page of results as `Result.as_json` gives them."""
    arms = ("stock", "lifeline")
    lines = [
        INTRODUCTION,
        "| package | server | driver | stock: passed, failed, skipped | lifeline: passed, failed,"
        " skipped | lost | left open | date |",
        "|---" * 8 + "|",
    ]
    for found in results:
        runs = [found["arms"].get(arm, {"counts": {}, "left_open": 0}) for arm in arms]
        cells = [
            f"{found['package']} {found['version']}",
            *(found["server"], found["driver"]),
            *(_counts(run["counts"]) for run in runs),
            len(found["lost"]),
            ", ".join(str(run["left_open"]) for run in runs),
            found["used"]["date"],
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", *_lost(results), *_used(results)]
    return "\n".join(lines) + "\n"


def _lost(results: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        f"| {found['package']} | {found['server']} | {found['driver']} | `{each['test']}` "
        f"| {each['stock']} → {each['lifeline']} |"
        for found in results
        for each in found["lost"]
    ]
    if not rows:
        return ["Lost: none.", ""]
    return ["| package | server | driver | lost test | |", "|---" * 5 + "|", *rows, ""]


def _used(results: Sequence[Mapping[str, Any]]) -> list[str]:
    used: dict[str, set[str]] = {}
    for found in results:
        for name, version in found["used"].items():
            if name != "date":
                used.setdefault(name, set()).add(version)
    listed = [f"{name} {' and '.join(sorted(versions))}" for name, versions in used.items()]
    return [f"Run with {', '.join(listed)}."] if listed else []


def _counts(counts: Mapping[str, int]) -> str:
    good = sum(counts.get(name, 0) for name in GOOD)
    skipped = counts.get("skipped", 0)
    return f"{good}, {sum(counts.values()) - good - skipped}, {skipped}" if counts else "not run"


def _passed(run: Run) -> int:
    return run.counts().get("passed", 0)


def _place(found: Mapping[str, Any]) -> tuple[str, ...]:
    # The server's flavour, not its version, so that an upgrade leaves no old line behind.
    return tuple(str(found[name]).split()[0] for name in PLACE)


def _show(title: str, found: Sequence[Difference], out: TextIO) -> None:
    print(f"  {title}: {len(found) or 'none'}", file=out)
    for difference in found[:SHOWN_TESTS]:
        change = " → ".join(filter(None, (difference.stock, difference.lifeline)))
        print(f"    {difference.test}: {change}", file=out)
        for line in difference.detail[-SHOWN_DETAIL:].splitlines():
            print(f"        {line}", file=out)


def _run_as_json(run: Run) -> dict[str, Any]:
    return {
        "counts": run.counts(),
        "seconds": round(run.seconds, 1),
        "left_open": run.left_open,
        "not_passed": {
            test: found.outcome for test, found in sorted(run.outcomes.items()) if found.bad
        },
        "crashes": run.crashes,
    }
