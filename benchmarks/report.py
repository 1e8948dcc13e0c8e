"""From raw figures to tables: in the terminal, and in ``docs/benchmarks.md``.

    python -m benchmarks.report          writes the page from benchmarks/results/*.json

A ratio is the median of the rounds' ratios, with its quartiles: within one round all arms ran
one after the other, so whatever slowed the machine slowed all of them.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
SERVERS = {"mariadb": "MariaDB", "mysql": "MySQL"}

Record = dict[str, Any]
Group = dict[str, Any]
Figures = dict[str, dict[str, list[float]]]


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile; of one value, that value three times."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def ratios(values: list[float], base: list[float]) -> tuple[float, float, float]:
    """Compare round by round; quartiles of the rounds' ratios."""
    return quartiles([value / other for value, other in zip(values, base, strict=True)])


def interval(values: list[float]) -> tuple[float, float]:
    """Return what the median lies between with 95 % confidence; of few values, their range.

    By rank, so it assumes nothing about how the values are distributed.
    """
    ordered, count = sorted(values), len(values)
    rank = max(0, math.floor(count / 2 - 0.98 * math.sqrt(count)))
    return ordered[rank], ordered[count - 1 - rank]


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted: the ratio of two labels' wall time, at most this."""

    label: str
    base: str
    limit: float

    def verdict(self, groups: Iterable[Group]) -> str:
        """Say how far it is reached, over all servers and transports that have both labels."""
        found = [
            _rounds(group["figures"], self.label, self.base)
            for group in groups
            if self.label in group["figures"] and self.base in group["figures"]
        ]
        wanted = f"{self.label} ≤ {self.limit:g} × {self.base}"
        if not found:
            return f"- {wanted}: not measured."
        medians = [statistics.median(rounds) for rounds in found]
        bounds = [interval(rounds) for rounds in found]
        met = sum(upper <= self.limit for _, upper in bounds)
        missed = sum(lower > self.limit for lower, _ in bounds)
        return (
            f"- {wanted}: measured {min(medians):.2f} to {max(medians):.2f}; of {len(found)} "
            f"settings met in {met}, missed in {missed}, undecided in "
            f"{len(found) - met - missed}."
        )


def _rounds(figures: Figures, label: str, base: str) -> list[float]:
    pairs = zip(figures[label]["wall"], figures[base]["wall"], strict=True)
    return [value / other for value, other in pairs]


# --- tables ----------------------------------------------------------------------------------


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def place(group: Group) -> str:
    """Return the name of a server and transport, as a table's head has it."""
    return f"{SERVERS[group['server']]}, {group['transport']}"


def ratio_table(groups: list[Group], base: str, kind: str) -> str:
    """One row for each label, one column for each place; ratios to ``base`` with quartiles."""
    labels = list(dict.fromkeys(label for group in groups for label in group["figures"]))
    rows = []
    for label in labels:
        cells = [_ratio_cell(group["figures"], label, base, kind) for group in groups]
        rows.append([label, *cells])
    medians = [f"{quartiles(g['figures'][base][kind])[1]:,.0f} µs" for g in groups]
    rows.append([f"*{base} itself*", *medians])
    return table([f"{_KINDS[kind]}, × {base}", *map(place, groups)], rows)


_KINDS = {"wall": "wall time", "cpu": "CPU time of the client"}


def _ratio_cell(figures: Figures, label: str, base: str, kind: str) -> str:
    if label not in figures:
        return "—"
    lower, middle, upper = ratios(figures[label][kind], figures[base][kind])
    return f"{middle:.2f} ({lower:.2f}–{upper:.2f})"


def count_table(groups: list[Group], key: str, title: str) -> str:
    """One row for each label, one column for each place; exact counts."""
    labels = list(dict.fromkeys(label for group in groups for label in group.get(key, {})))
    rows = []
    for label in labels:
        rows.append([label, *(_count(group[key].get(label)) for group in groups)])
    return table([title, *map(place, groups)], rows)


def _count(counted: Any) -> str:
    if counted is None:
        return "—"
    if isinstance(counted, dict):
        return f"{counted['python']:.0f} + {counted['native']:.0f}"
    return f"{counted:g}"


CALLS = "Python functions + C functions called"


# --- one section for each benchmark ----------------------------------------------------------


def request(record: Record) -> str:
    """A request with one query."""
    groups = record["groups"]
    targets = (
        Target("lifeline", "stock-persistent", 1.02),
        Target("lifeline", "stock-health", 1.0),
        Target("lifeline", "django-db-connection-pool", 1.0),
        Target("lifeline", "stock", 0.5),
    )
    return _paragraphs(
        "One query in a view, through Django's `WSGIHandler` with the real request signals. "
        "`driver` is the floor: the same view on a plain connection of the driver.",
        _verdicts(targets, groups),
        ratio_table(groups, "stock-persistent", "wall"),
        ratio_table(groups, "stock-persistent", "cpu"),
        count_table(groups, "calls", CALLS),
    )


def request_threads(record: Record) -> str:
    """A request in a new thread or greenlet."""
    groups = record["groups"]
    return _paragraphs(
        "The same request, each in a thread or in a greenlet of its own. Stock's connection "
        "belongs to a thread, so a new one connects anew whatever `CONN_MAX_AGE` says.",
        _verdicts(
            (
                Target("lifeline, new thread", "stock-persistent, new thread", 0.45),
                Target("lifeline, new greenlet", "stock-persistent, new greenlet", 0.45),
            ),
            groups,
        ),
        *(_new_owner(groups, kind) for kind in ("thread", "greenlet")),
    )


def _new_owner(groups: list[Group], kind: str) -> str:
    new, base = f"lifeline, new {kind}", f"stock-persistent, new {kind}"
    groups = [group for group in groups if new in group["figures"]]
    rows = []
    for group in groups:
        figures = group["figures"]
        medians = [quartiles(figures[label]["wall"])[1] for label in (base, new)]
        own = zip(
            figures[new]["wall"],
            figures[f"lifeline, same {kind}"]["wall"],
            figures[f"bare {kind}"]["wall"],
            strict=True,
        )
        distance = quartiles([whole / (same + bare) for whole, same, bare in own])
        rows.append(
            [
                place(group),
                *(f"{median:,.0f} µs" for median in medians),
                _ratio_cell(figures, new, base, "wall"),
                _ratio_cell(figures, new, base, "cpu"),
                *(
                    f"{quartiles(figures[label]['wall'])[1]:,.0f} µs"
                    for label in (f"lifeline, same {kind}", f"bare {kind}")
                ),
                "{1:.2f} ({0:.2f}–{2:.2f})".format(*distance),
            ]
        )
    head = [f"a new {kind} per request", "stock persistent", "lifeline"]
    head += ["ratio, wall", "ratio, CPU"]
    head += [f"lifeline, same {kind}", f"bare {kind}", "new ÷ (same + bare)"]
    return table(head, rows)


def atomic(record: Record) -> str:
    """A transaction with one INSERT."""
    groups = record["groups"]
    return _paragraphs(
        "`transaction.atomic()` round one INSERT, in a kept connection. The server writes its "
        "log at each commit and flushes it once a second. Stock sends four statements, lifeline "
        "three.",
        _verdicts((Target("lifeline", "stock-persistent", 1.0),), groups),
        ratio_table(groups, "stock-persistent", "wall"),
        ratio_table(groups, "stock-persistent", "cpu"),
        count_table(groups, "statements", "statements the server ran"),
        count_table(groups, "calls", CALLS),
    )


def connect(record: Record) -> str:
    """New connections, and single statements."""
    groups = record["groups"]
    opening = [_only(group, "connect") for group in groups]
    running = [_only(group, "statement") for group in groups]
    return _paragraphs(
        "A new connection, opened and closed: in a wrapper that has connected before, and with "
        "one statement in a wrapper's (that is a thread's or greenlet's) first one. `lifeline` "
        'is measured with `"pool": False`, since a pool would not connect anew.',
        ratio_table(opening, "stock, connect", "wall"),
        ratio_table(opening, "stock, connect", "cpu"),
        count_table(groups, "statements", "statements the server ran"),
        "One `SELECT 1` through `connection.cursor()`, again and again in one thread.",
        ratio_table(running, "stock, statement", "wall"),
        ratio_table(running, "stock, statement", "cpu"),
        count_table(groups, "calls", CALLS),
    )


def _only(group: Group, word: str) -> Group:
    figures = {label: kinds for label, kinds in group["figures"].items() if word in label}
    return {**group, "figures": figures}


def gevent_pool(record: Record) -> str:
    """A crowd under gunicorn's gevent worker."""
    rows = []
    for group in record["groups"]:
        for label, bursts in group["bursts"].items():
            walls = [burst["seconds"] for burst in bursts]
            lower, middle, upper = quartiles([wall / group["ideal"] for wall in walls])
            errors: dict[str, int] = {}
            for burst in bursts:
                for name, count in burst["errors"].items():
                    errors[name] = errors.get(name, 0) + count
            asked = sum(burst["requests"] for burst in bursts)
            told = ", ".join(f"{count} × {name}" for name, count in errors.items()) or "none"
            rows.append(
                [
                    f"{SERVERS[group['server']]}, {label}",
                    f"{statistics.median(walls):.2f} s",
                    f"{middle:.2f} ({lower:.2f}–{upper:.2f})",
                    f"{told} in {asked:,}",
                ]
            )
    return _paragraphs(
        "200 requests at once, each with a query of 50 ms, to one gunicorn worker of class "
        "gevent; lifeline's pool has 20 connections, so the ideal is 0.5 s. Wanted: at most 1.2 "
        "of it. Stock is at its default settings and opens a connection for each request; the "
        "server allows 151, as it does by default.",
        table(["", "wall time", "× ideal", "failed requests"], rows),
    )


def memory(record: Record) -> str:
    """Resident memory."""
    rows = []
    for group in record["groups"]:
        for label, found in group["kilobytes"].items():
            lower, middle, upper = quartiles([entry["kilobytes"] for entry in found])
            sessions = statistics.median(entry["sessions"] for entry in found)
            rows.append(
                [
                    f"{place(group)}: {label}",
                    f"{middle:,.1f} ({lower:,.1f}–{upper:,.1f})",
                    f"{found[0]['count']:,}",
                    f"{sessions:,.0f}",
                ]
            )
    return _paragraphs(
        "How much a process's resident memory grows for each connection that is open and idle, "
        "and for each greenlet that has run one query and lives on, in fresh processes.",
        table(["", "KB for each", "of them", "sessions at the server"], rows),
    )


def pool_cycles(record: Record) -> str:
    """What the pool alone can do."""
    return _paragraphs(
        "Lend, probe and take back, without a server; what `benchmarks/pool_cycles.py` printed:",
        f"```\n{record['output'].rstrip()}\n```",
    )


SECTIONS: dict[str, tuple[str, Callable[[Record], str]]] = {
    "request": ("One request, one query", request),
    "request_threads": ("A new thread or greenlet for each request", request_threads),
    "atomic": ("A transaction", atomic),
    "connect": ("Connecting, and single statements", connect),
    "gevent_pool": ("A crowd of greenlets on a small pool", gevent_pool),
    "memory": ("Memory", memory),
    "pool_cycles": ("The pool alone", pool_cycles),
}


def _verdicts(targets: Iterable[Target], groups: list[Group]) -> str:
    return "Wanted:\n\n" + "\n".join(target.verdict(groups) for target in targets)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(parts)


# --- the page --------------------------------------------------------------------------------

INTRODUCTION = """\
# Benchmarks

Written by `scripts/bench` from the raw figures in `benchmarks/results`; do not edit by hand.

How to read it:

- Only ratios mean anything. The figures come from one small machine with the server on it, over
  the loopback; a real network makes every round trip dearer and every client's share smaller.
- All arms of a comparison run in turns, each in a process of its own with only its own database
  configured: one short batch each, every round in another order. Requests and transactions are
  done by several processes for each arm, one after the other (`processes` below), since two of the
  same arm differ by up to 15 % in where their memory happens to lie. A ratio is taken within each
  round; the tables show the median of these ratios and, in brackets, their quartiles. Where the
  quartiles reach over 1, there is no difference to speak of. A wanted ratio counts as met or
  missed only where the 95 % confidence interval of the median ratio lies on one side of it.
- CPU time is that of the client process. It does not depend on the network and depends less on
  what else the machine does. The number of calls depends on neither.
- `stock` is `django.db.backends.mysql` at its defaults (`CONN_MAX_AGE = 0`), `stock-persistent`
  has `CONN_MAX_AGE = None`, `stock-health` also `CONN_HEALTH_CHECKS = True`; `lifeline` changes
  `ENGINE` and nothing else.
"""


def machine(record: Record) -> str:
    """Say what a record was measured on, and warn where that makes its figures doubtful."""
    found, versions = record["machine"], record["versions"]
    names = {**SERVERS, "Python": "Python"}
    parts = [
        f"{names.get(name, name)} {version.removesuffix('-MariaDB')}"
        for name, version in versions.items()
    ]
    options = ", ".join(f"{key} {value}" for key, value in record["options"].items()) or "none"
    text = (
        f"Measured {record['date']} on {found['cores']} cores ({found['processor']}, "
        f"{found['system']}), load average {found['load_before'][0]} before and "
        f"{found['load_after'][0]} after. {', '.join(parts)}. Options: {options}."
    )
    # The benchmark itself keeps about one process and a server busy.
    if max(found["load_before"][0], found["load_after"][0]) > found["cores"] + 1:
        text += "\n\n**The machine was busy with other work: rough figures only.**"
    return text


def page(records: dict[str, Record]) -> str:
    """Return the whole page."""
    parts = [INTRODUCTION.rstrip()]
    for name, (title, section) in SECTIONS.items():
        if name in records:
            record = records[name]
            parts += [f"## {title}", section(record), machine(record)]
    return "\n\n".join(parts) + "\n"


def read(folder: Path) -> dict[str, Record]:
    """Read all raw figures of a folder."""
    found = {}
    for name in SECTIONS:
        path = folder / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text())
    return found


def write_page() -> None:
    """Write the page in the documentation from the figures that are kept."""
    PAGE.write_text(page(read(RESULTS)))


def print_tables(record: Record) -> None:
    """Print what one benchmark found."""
    title, section = SECTIONS[record["name"]]
    print(f"\n## {title}\n\n{section(record)}\n\n{machine(record)}")


if __name__ == "__main__":
    write_page()
