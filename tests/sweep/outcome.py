"""Runs the program for each server and driver, and makes a page of what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lifeline_lab.last_run import last_run
from lifeline_lab.servers import Server
from tests.sweep.laws import LAWS

ROOT = Path(__file__).parents[2]
GUARANTEES = {
    "error": "G11",
    "diagnosis": "G11",
    "stored": "G2, G3",
    "label": "G2, G3",
    "commit": "G4",
    "hooks": "G4",
    "healed": "G1",
    "answer": "G5",
    "next": "G1, G9",
    "thread": "G1",
    "leak": "G7",
    "hang": "G7",
}
NAMES = {"mariadb": "MariaDB", "mysql": "MySQL", "pymysql": "PyMySQL"}
VARIABLES = {"innodb_lock_wait_timeout": 3, "max_connect_errors": 1_000_000}
"""What a server of a sweep is started with: it meets many broken handshakes."""

Outcome = dict[str, Any]


def sweep(server: Server, driver: str, *arguments: str, timeout: float | None = None) -> Outcome:
    """Run cells in a process of its own; raises ``RuntimeError`` with what it said if it failed."""
    facts = ("flavour", "version", "host", "port", "user", "password", "socket")
    told = json.dumps(
        {
            name: str(value) if name == "socket" else value
            for name, value in ((name, getattr(server, name)) for name in facts)
        }
    )
    ours = [str(folder) for folder in (ROOT / "src", ROOT / "lab", ROOT)]
    path = os.pathsep.join([*ours, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep.program", "--driver", driver, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "LIFELINE_SWEEP": told},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The sweep itself failed:\n{done.stdout}\n{done.stderr}")
    outcome: Outcome = json.loads(done.stdout.splitlines()[-1])
    return outcome


def summary(outcome: Outcome) -> str:
    """One line for one run."""
    tls = " over TLS" if outcome["tls"] else ""
    return (
        f"{_name(outcome['server'])}, {_name(outcome['driver'])}{tls}: {outcome['ran']} of "
        f"{outcome['cells']} cells in {outcome['seconds']} s (seed {outcome['seed']}), "
        f"{len(outcome['failures'])} violations, {len(outcome['once'])} seen once, "
        f"{len(outcome['missed'])} missed, {len(outcome['broken'])} broken"
    )


def page(outcomes: Sequence[Outcome]) -> str:
    """The page of results."""
    first = outcomes[0]
    ran = sum(outcome["ran"] for outcome in outcomes)
    found = sum(len(outcome["failures"]) for outcome in outcomes)
    parts = (
        "# Fault sweep: every packet, cut in every way",
        _INTRODUCTION,
        f"**{ran:,} cells, {found} violations.** "
        + last_run({"Python": first["python_version"], "Django": first["django_version"]}),
        _table(
            "server|driver|TLS|cells|ran|packet not met|not judged|violations|seen once|minutes",
            (_run(outcome) for outcome in outcomes),
        ),
        _READING,
        "## Laws",
        _table("guarantee|law|violations", _laws(outcomes)),
        *_violations(outcomes),
        "## What was struck",
        "Rows: what the packet was for, and whose it was (→ the client's, ← the server's). "
        "Columns: what happened to it; a number is the server's error in its place.",
        _coverage(outcomes),
        "## Workloads",
        _table("workload|cells", _workloads(outcomes)),
        "## How they ended",
        _table("the caller saw|cells", _endings(outcomes)),
    )
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
`scripts/sweep` runs each workload once without a fault and lists every packet that went by, both
ways: handshake, authentication, TLS, opening statements, BEGIN, each statement and each packet of
its answer, savepoints, COMMIT, ROLLBACK, reset, goodbye. Then it runs the workload once for each
*cell*: one packet and one fault. Before it, after 1 byte, after its header, in its middle, before
its last byte and after it the connection ends (FIN), is reset (RST) or falls silent; it ends and no
server is to be reached until the work is over (*away*); it is delayed;
the server's error stands in its place; or something in it is garbled. A cell is named by all that:
`mariadb/pymysql/create/0.up1+half/rst`, and `scripts/sweep --cell NAME` runs it again.

After each cell the laws below are checked: what the caller saw, against what the proxy saw and what
the database holds; then a write and a read on the same wrapper and in a new thread."""

_READING = """\
*Packet not met*: the run took another way before the fault, mostly since another thread had opened
the connection. *Not judged*: the sweep's own failure, such as a server that took too long. *Seen
once*: a law was broken, and was not when the same cell ran three more times alone; every wait of a
cell is bounded by one second, which a busy machine may take."""


def _run(outcome: Outcome) -> tuple[object, ...]:
    return (
        f"{_name(outcome['server'])} {outcome['server_version'].removesuffix('-MariaDB')}",
        f"{_name(outcome['driver'])} {outcome['driver_version']}",
        "yes" if outcome["tls"] else "",
        outcome["cells"],
        outcome["ran"],
        len(outcome["missed"]),
        len(outcome["broken"]),
        len(outcome["failures"]),
        len(outcome["once"]),
        f"{outcome['seconds'] / 60:.0f}",
    )


def _laws(outcomes: Iterable[Outcome]) -> list[tuple[object, ...]]:
    broken = Counter(failure["law"] for outcome in outcomes for failure in outcome["failures"])
    return [(GUARANTEES[law], text, broken[law]) for law, text in LAWS.items()]


def _violations(outcomes: Iterable[Outcome]) -> list[str]:
    """What was found, kind by kind, with the shortest cell of each."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for outcome in outcomes:
        for title in ("failures", "once"):
            for each in outcome[title]:
                kinds.setdefault((title, each["law"], each["said"]), []).append(each["cell"])
    if not kinds:
        return []
    rows = [
        (title.replace("failures", "violation").replace("once", "seen once"), law, said)
        + (f"`{min(cells, key=len)}`", len(cells))
        for (title, law, said), cells in sorted(kinds.items())
    ]
    return [_table("|law|what was seen|a cell|cells", rows)]


def _coverage(outcomes: Iterable[Outcome]) -> str:
    cells: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        for where, kind, number in outcome["coverage"]:
            cells[where, kind] += number
    kinds = sorted({kind for _, kind in cells}, key=lambda kind: (kind.isdigit(), kind))
    places = sorted({where for where, _ in cells})
    rows = [
        (where, *(cells[where, kind] or "" for kind in kinds), sum(cells[where, k] for k in kinds))
        for where in places
    ]
    return _table("|".join(["struck", *kinds, "all"]), rows)


def _workloads(outcomes: Iterable[Outcome]) -> list[tuple[object, ...]]:
    cells: Counter[str] = Counter()
    for outcome in outcomes:
        cells.update(outcome["workloads"])
    return [(f"`{name}`", number) for name, number in sorted(cells.items())]


def _endings(outcomes: Iterable[Outcome]) -> list[tuple[object, ...]]:
    """What the callers saw: class, number where it is one, and what it said of the work."""
    cells: Counter[str] = Counter()
    for outcome in outcomes:
        for ending, number in outcome["endings"].items():
            words = ending.split(" ")
            kind = words[0].rsplit(".", 1)[-1]
            told = [word for word in words[1:] if word.isdigit() or "_" in word and word.islower()]
            cells[" ".join([f"`{kind}`" if words[1:] else kind, *told[:2]])] += number
    return list(cells.most_common(40))


def _table(head: str, rows: Iterable[Sequence[object]]) -> str:
    titles = head.split("|")
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        lines.append("| " + " | ".join(_shown(each) for each in row) + " |")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _name(word: str) -> str:
    return NAMES.get(word, word)
