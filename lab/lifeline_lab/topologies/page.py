"""The page of results: a row for each situation and engine. Rules over text, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lifeline_lab.topologies.figures import Figures

Row = tuple[str, str]
"""Which row it is: the situation's title and the engine."""


def as_row(title: str, arm: str, found: Figures) -> str:
    """One line of the page's table."""
    codes = ", ".join(f"{code} × {n}" for code, n in sorted(found.failed.items())) or "none"
    first = "never" if found.first_success is None else f"{found.first_success * 1000:.0f} ms"
    last = "" if found.last_failure is None else f"{found.last_failure:.1f} s"
    cells = (title, arm, found.writes, codes, found.failed_reads, first, last, found.lost)
    return "| " + " | ".join(map(str, (*cells, found.connects))) + " |"


HEAD = """\
# Failover, as measured

Written by `scripts/lab-topologies` on one noisy two-core machine: use the figures as ratios. Real
servers behind a real HAProxy that leads new connections elsewhere and leaves open ones where they
are; {threads} threads that write a row, read it, and end their piece of work, through mysqlclient
or, where that is said, PyMySQL.
*First write* and *last failure* are counted from the moment at which a server that takes writes
could be reached. *Lost* are rows that were acknowledged and are on no server that lives:
asynchronous replication loses what it had not sent when the primary was killed, and no client can
mend that. A write that was under way when its server was killed fails with every engine, since it
may have been stored; so does one that was under way when HAProxy, two seconds after a reload
(`hard-stop-after`), ends what its old process still serves: connections that are kept meet that,
those made for one piece of work do not. Where a server is away, the failures are as many as callers
that come back at once; the connections that are tried for them are not. PyMySQL takes some 20 ms
of Python to connect, most of it to prepare TLS, and stock Django connects for each piece of work:
hence its few writes there, and its few failures.

## Galera

Three nodes at default settings; the proxy leads to one, as for sites that write to one node. After
a node was killed or cut off the others keep every write waiting until they have given it up
(`evs.suspect_timeout`, 5 s); *could be reached* is then the moment at which a write of the lab's
own went through. A node that loses the others answers 1180 to the writes that wait for them, and
the others may store these all the same: this engine repeats none of them, and calls a COMMIT of
which that is said `CommitOutcomeUnknown`. A donor lets no write through while it copies. It was
drained before, but connections that are kept stay with a drained server and wait: let the proxy end
them (`on-marked-down shutdown-sessions`), as in the row after it.

*Lost* is what no node of the majority has. None was lost in these runs, which is no proof. By
itself Galera may lose acknowledged transactions: by the settings recommended for it nodes answer
before the disk has them, so those that crash together lose them;
[Jepsen](https://jepsen.io/blog/2026-03-16-mariadb-galera-cluster-12.1.2) (March 2026, 12.1.2 to
12.2.2) saw some lost at crashes together with partitions as well, updates that overwrite each other
in a healthy cluster, and reads on other nodes that are not up to date. No client can mend that
either.

## Group Replication

*Primary loses the others*: both others are frozen until the primary gives up
(`group_replication_unreachable_majority_timeout`, 1 s). It answers 3100 to the writes that wait for
them, and they store these once they go on: this engine repeats none of them, and calls a COMMIT of
which that is said `CommitOutcomeUnknown`.

## Rolling restarts

Every server is stopped and started in turn, a second after the proxy led new connections elsewhere.
Where one server takes the writes, its replicas come first, then one of them is promoted, and the
old primary comes last. *First write* is the longest wait of all moves, *last failure* is counted
from the first one. Open connections stay until their server is stopped. With this engine the
statements that a server refuses while it shuts down run on another one; what it is in the middle of
fails with any engine.

## A DNS name, MySQL Router, stunnel

In the situations of a DNS name it is the name that leads elsewhere, from one moment to the next: no
resolver keeps it. MySQL Router stands in HAProxy's place, as its own bootstrap sets it up, and
finds the new primary by itself: *first write* is counted from when that takes writes, with what
Router takes to notice. What is refused while it does not listen is not among the connects. Two
stunnels carry TLS between Django and one server; with a `TIMEOUTidle` of 1 s each thread pauses for
1.5 s after each piece of work, and *first write* says little.

## Figures

"""
COLUMNS = (
    "situation",
    "engine",
    "writes",
    "failed",
    "failed reads",
    "first write",
    "last failure",
    "lost",
    "most connects in a second",
)


def read(text: str) -> dict[Row, str]:
    """The rows of a page that was written before."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == len(COLUMNS) and cells != list(COLUMNS):
            rows[cells[0], cells[1]] = line
    return rows


def write(rows: Mapping[Row, str], order: Iterable[Row], *, threads: int, made: str) -> str:
    """The whole page, the rows in this order; those that are not in it are left out.

    ``made`` says when, and with what.
    """
    table = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    table += [rows[row] for row in order if row in rows]
    return HEAD.format(threads=threads) + "\n".join([*table, "", made]) + "\n"
