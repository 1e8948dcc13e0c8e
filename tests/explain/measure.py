"""How often `explain` names the cause that a log was written for: ``docs/results/explain.md``.

python -m tests.explain.measure > docs/results/explain.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django_lifeline.diagnosis.explain import explain
from lifeline_lab.last_run import installed, last_run

HERE = Path(__file__).parent
CORPUS, HELD_OUT, OTHERS = HERE / "corpus", HERE / "held_out", HERE / "others"


def logs_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"), key=lambda path: path.name)


def expected_of(log: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads(log.with_suffix(".expected.json").read_text())
    return expected


def groups_of(log: Path) -> list[dict[str, Any]]:
    """What is said of a log, as plain values."""
    groups: list[dict[str, Any]] = json.loads(json.dumps(explain(log.read_text()).as_dict()))[
        "groups"
    ]
    return groups


@dataclass
class Score:
    """What came of the logs of one folder."""

    logs: int = 0
    groups: int = 0
    """Groups of losses whose true cause is known."""
    first: int = 0
    among_three: int = 0
    missed: int = 0
    """Groups that were not found, or not with their number and count."""
    invented: int = 0
    """Groups that are found, and should not be."""
    wrong: list[str] = field(default_factory=list)


def score(folder: Path) -> Score:
    """Compare what is said of each log with what it was written for."""
    result = Score()
    for log in logs_of(folder):
        result.logs += 1
        found = groups_of(log)
        wanted = expected_of(log)["groups"]
        result.invented += max(0, len(found) - len(wanted))
        for truth, told in _pairs(wanted, found, result):
            result.groups += 1
            named = [cause["cause"] for cause in told["causes"]]
            result.first += named[:1] == [truth]
            result.among_three += truth in named[:3]
            if named[:1] != [truth]:
                result.wrong.append(f"{log.stem}: {truth}, named {', '.join(named[:3])}")
    return result


def _pairs(
    wanted: list[dict[str, Any]], found: list[dict[str, Any]], result: Score
) -> Iterator[tuple[str, dict[str, Any]]]:
    left = list(found)
    for group in wanted:
        shape = (group["code"], group["count"])
        told = next((each for each in left if (each["code"], each["count"]) == shape), None)
        if told is None:
            result.missed += 1
            continue
        left.remove(told)
        truth = group.get("truth", group.get("cause"))
        if truth:
            yield truth, told


def false_alarms(folder: Path = OTHERS) -> list[str]:
    """Return the logs of other errors in which a lost connection is seen."""
    return [log.stem for log in logs_of(folder) if groups_of(log)]


PAGE = """# How well explain reads logs

`python -m tests.explain.measure` reads the logs in `tests/explain` and compares the causes that
`explain` names with what each log was written for. The logs were written for the purpose, after the
structures that loggers, containers, services and tools really print; none is copied. *Held out* are
logs that were written after the rules, and that no rule was changed for. All have one author, who
knows the rules: figures for logs of strangers will be lower.

| logs | | groups of losses | first named | among the first three | missed | invented |
|---|---:|---:|---:|---:|---:|---:|
{rows}

Logs of other errors ({others}): other databases, brokers, mail, the web, Python, Django, MySQL's
errors that leave the connection alive, the server's own notes. False alarms: {alarms}.

## Named otherwise

{wrong}

{made}
"""


def page() -> str:
    """Return ``docs/results/explain.md``."""
    scores = {"written with the rules": score(CORPUS), "held out": score(HELD_OUT)}
    rows = [
        f"| {name} | {s.logs} | {s.groups} | {s.first} ({s.first / s.groups:.0%}) "
        f"| {s.among_three} ({s.among_three / s.groups:.0%}) | {s.missed} | {s.invented} |"
        for name, s in scores.items()
    ]
    wrong = [f"* {line}" for s in scores.values() for line in s.wrong] or ["Nothing."]
    return PAGE.format(
        rows="\n".join(rows),
        others=len(logs_of(OTHERS)),
        alarms=len(false_alarms()),
        wrong="\n".join(wrong),
        made=last_run(installed(())),
    )


if __name__ == "__main__":
    print(page(), end="")
