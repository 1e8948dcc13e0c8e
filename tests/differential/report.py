"""Writes what long runs found, as a page of the docs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lifeline_lab.last_run import last_run
from tests.differential.structure import BREAKING_EXCHANGES, FAULT_KINDS

NAMES = {"mariadb": "MariaDB", "mysql": "MySQL", "mysqlclient": "mysqlclient", "pymysql": "PyMySQL"}

HEAD = """# Random programs: does anything differ from stock Django?

`scripts/differential` draws random programs: the ORM, raw SQL, `atomic` nested and durable,
savepoints, errors that are caught or not, `set_autocommit`, hooks, DDL, deadlocks, `SET`, `USE`,
temporary tables, user locks, the driver's own object, cursors that are kept, several threads and
aliases. Each runs twice on a real server: with stock Django, and with this engine. Compared after
every step: the answer, the error's class and number, the hooks that ran, what is stored, what is
locked, what the next borrower sees. Without faults all must be equal.

In half of the programs sessions are killed, statements are killed while they run, the wire is cut
before a command, instead of its answer or in the middle of it, answers come too late, the server
restarts. Stock Django is spared them. Up to the first loss that the engine reports all must be
equal; from then on the laws in `tests/differential/laws.py` hold: nothing acknowledged is missing,
nothing undone is stored, no transaction in part, nothing twice, no hook without its work, no block
ends as if a lost transaction were stored, every error is Django's and has a number.

Repeat it with `{command}`; a single program with `scripts/differential --program FILE`, where the
file has the last line of what is printed.
"""


def write_report(path: Path, runs: list[dict[str, Any]]) -> None:
    """Write the page for some combinations of driver and server."""
    path.write_text("\n".join([HEAD.format(command=_command(runs[0])), *_tables(runs)]) + "\n")


def _command(run: dict[str, Any]) -> str:
    return f"scripts/differential --known --restarts --seed {run['seed']}"


def _tables(runs: list[dict[str, Any]]) -> list[str]:
    first = runs[0]
    kinds: Counter[str] = Counter()
    for run in runs:
        kinds.update(run["kinds"])
    faults = {kind: number for kind, number in kinds.items() if _is_fault(kind)}
    lines = [
        "## What ran",
        "",
        last_run({"Python": first["python"], "Django": first["django"], "engine": first["engine"]}),
        "",
        "| driver | server | seed | programs | steps | with faults | through the proxy | minutes"
        " | violations |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_row, runs),
        "",
        f"{len(kinds) - len(faults)} kinds of steps and {len(faults)} of faults:",
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| `{kind}` | {faults[kind]} |" for kind in sorted(faults)),
    ]
    found = [each["text"] for run in runs for each in run["found"]]
    if found:
        lines += ["", "## Violations", "", *(f"```\n{text}\n```\n" for text in found)]
    return lines


def _row(run: dict[str, Any]) -> str:
    cells = [
        f"{NAMES[run['driver']]} {run['driver_version']}",
        f"{NAMES[run['server']]} {run['server_version']}",
        run["seed"],
        *(run[name] for name in ("programs", "steps", "with_faults", "through_proxy")),
        round(run["seconds"] / 60),
        len(run["found"]),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _is_fault(kind: str) -> bool:
    return kind.split()[0] in FAULT_KINDS | BREAKING_EXCHANGES
