"""What a program says about itself: which step is in which block, and what may be lost with it.

Read from the steps alone, so it is the same for both arms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.differential.steps import Program, Step

CLEAN = {"close", "close_old", "close_all", "request_ends", "end_thread"}
"""After these nothing of the session is left."""

QUESTIONS = {"last_id", "row_count", "found_rows", "warnings", "last_id_by_django"}
"""Steps that ask the session about its last statement."""

KEEPING = {
    *("set_autocommit raw_sql raw_insert raw_query raw_select_db raw_autocommit raw_begin").split(),
    *("raw_commit raw_rollback raw_touch").split(),
    # A procedure may do anything, and nobody can see what.
    *("cursor_execute cursor_call begin_iterating savepoint deadlock call look").split(),
}
"""Steps that may leave something in the session that no other session has."""

PASSING = {
    *"create create_with_entry save save_again bulk_create bulk_create_failing update".split(),
    *"bulk_update get_or_create update_or_create insert insert_ignored note insert_many".split(),
    *"note_many note_many_failing exists aggregate read read_joined values_list refresh".split(),
    *"get_missing iterate delete duplicate leave next_borrower is_usable ensure".split(),
    *QUESTIONS,
    *"cursor_open cursor_close cursor_tell abandon rival_locks rival_lets_go".split(),
}
"""Steps after which the pool can let others have the session."""

HARMLESS_SQL = re.compile(
    r"SELECT \d|INSERT|UPDATE|DELETE|CREATE TABLE|ALTER TABLE|DROP TABLE|USE |"
    r"SET (?!autocommit|@\w|TRANSACTION)(?!.*@@?\w+\s*\+)|COMMIT$|ROLLBACK$",
    re.IGNORECASE,
)
KILLED = set("killed_reading killed_writing killed_orm_reading killed_orm_writing".split())
"""Statements whose session is ended while they run."""
FAULT_KINDS = {"kill_all", "restart", "break_next", "cut"}
"""Steps that are a fault and nothing else."""
BREAKING_EXCHANGES = {*KILLED, "late_reading", "late_writing", "break_next"}
"""Faults that hit a statement which is under way."""


@dataclass
class Situation:
    """What is known before a step of an actor, from the steps before it."""

    block: int | None = None
    """Where the outermost block begins that the actor is in."""
    keeps: bool = False
    """Whether its session may hold something that no other has."""
    holds: bool = False
    """Whether its session may be one that nobody else can be served with meanwhile."""
    in_flight: bool = False
    """Whether a fault may hit an exchange from now on."""


@dataclass
class _Actor:
    blocks: list[int] = field(default_factory=list)
    keeps: bool = False
    holds: bool = False

    def situation(self, in_flight: bool) -> Situation:
        block = self.blocks[0] if self.blocks else None
        return Situation(block, self.keeps, self.holds, in_flight)


def situations(program: Program) -> list[dict[str, Situation]]:
    """For each step: the situation of every actor when it begins."""
    actors = {step.actor: _Actor() for step in program.steps}
    in_flight = False
    found = []
    for number, step in enumerate(program.steps):
        in_flight = in_flight or step.kind in BREAKING_EXCHANGES
        found.append({name: actor.situation(in_flight) for name, actor in actors.items()})
        _pass(actors[step.actor], number, step)
    return found


def _pass(actor: _Actor, number: int, step: Step) -> None:
    if step.kind == "enter":
        actor.blocks.append(number)
    elif step.kind == "leave" and actor.blocks:
        actor.blocks.pop()
    elif step.kind in CLEAN:
        if step.kind == "end_thread":
            actor.blocks.clear()  # What it does later is done in a new thread, outside of them.
        # Inside a block the block goes on, and with it what Django believes.
        actor.keeps = actor.holds = bool(actor.blocks)
    else:
        actor.keeps = actor.keeps or keeps(step)
        actor.holds = actor.holds or step.kind not in PASSING


def keeps(step: Step) -> bool:
    """Whether the step may leave something behind that is lost with its session."""
    if step.kind in KEEPING:
        return True
    if step.kind in ("sql", "sql_with", "several"):
        return step.kind == "sql_with" or not all(map(HARMLESS_SQL.match, map(str, step.args)))
    return False


def tag_of(step: Step) -> int | None:
    """The first of the tags that only this step writes; they come in tens."""
    if step.kind == "several":
        found = re.search(r"#(\d+)", " ".join(step.args))
        return int(found[1]) if found else None
    if step.kind == "call":
        return step.args[1] if len(step.args) > 1 else None
    return int(step.args[0]) if step.kind in TAGGED else None


NOTING = set("update note note_many note_many_failing save_again bulk_update".split())
"""Kinds that note their tag at rows which are there already."""
TAGGED = set(
    (
        "create create_with_entry save save_again bulk_create bulk_create_failing update"
        " bulk_update get_or_create update_or_create insert insert_ignored note insert_many"
        " note_many note_many_failing last_id_by_django on_commit next_borrower raw_insert"
        " killed_writing killed_orm_writing late_writing"
    ).split()
)
"""Kinds whose first argument is the tag that they write."""


def writers(program: Program) -> dict[int, int]:
    """Which step writes which ten of tags."""
    return {
        tag // 10: number
        for number, step in enumerate(program.steps)
        if (tag := tag_of(step)) is not None
    }


def in_order(program: Program) -> Iterator[tuple[int, Step]]:
    """The steps with their numbers."""
    return enumerate(program.steps)
