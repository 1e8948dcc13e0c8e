"""What must hold of this engine's run, given what stock Django did: pure functions of records.

Without faults: the same. With faults, stock Django's run without them is the measure. Up to the
first loss that this engine reports all must still be the same, as if nothing had happened; and it
may report one only where something was lost. From then on these hold, whatever is answered:

* what was acknowledged is stored, where it belongs, and stays;
* what was undone is never seen, and a transaction is stored whole or not at all;
* nothing is stored twice;
* hooks run once, with committed work only;
* a block that lost its work does not end as if it had been stored, whoever caught the loss;
* errors are Django's, and numbered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django_lifeline.exceptions import POOL_DEADLOCK, POOL_TIMEOUT
from tests.differential.steps import Program
from tests.differential.structure import (
    BREAKING_EXCHANGES,
    FAULT_KINDS,
    NOTING,
    PASSING,
    QUESTIONS,
    Situation,
    situations,
    writers,
)

if TYPE_CHECKING:
    from tests.differential.record import Record

LOSSES = {0, 1053, 1317, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 3169, 4031}
_LOST_IN_A_HOOK = frozenset(f"failed {number}" for number in LOSSES)
CLOSED = {0, 2006}
"""What the drivers say of a connection that was closed."""
OUT_OF_SYNC = 2014
WAITED = {POOL_TIMEOUT, POOL_DEADLOCK}
"""The pool had no connection to lend."""
UNKNOWN = {"commit_unknown", "unknown_effect"}
ALWAYS_TOLD = ("skipped", "error", "exits", "value", "hooks", "stored", "flags", "held")
OF_STATEMENTS = BREAKING_EXCHANGES - FAULT_KINDS
"""Steps that are a statement and its fault in one."""


@dataclass(frozen=True)
class Difference:
    """Something that must not be."""

    law: str
    step: int
    kind: str
    stock: Any
    ours: Any

    @property
    def signature(self) -> tuple[str, str]:
        """What small programs of the same fault have in common."""
        if self.law in ("error", "exits"):
            return (self.law, f"{self.stock} / {self.ours}")
        return (self.law, self.kind)

    def __str__(self) -> str:
        return (
            f"step {self.step} {self.kind}: {self.law}\n"
            f"  stock:    {self.stock}\n  lifeline: {self.ours}"
        )


def judge(program: Program, stock: Sequence[Record], ours: Sequence[Record]) -> Difference | None:
    """The first thing that must not be, or None."""
    return _Trial(program, stock, ours).verdict()


class _Trial:
    def __init__(self, program: Program, stock: Sequence[Record], ours: Sequence[Record]) -> None:
        self.program = program
        self.stock = stock
        self.ours = ours
        self.steps = program.steps
        self.kinds = [step.kind for step in program.steps] + ["the end"]
        self.actors = [step.actor for step in program.steps] + [""]
        self.situations = situations(program)
        self.faulty = any(kind in FAULT_KINDS | OF_STATEMENTS for kind in self.kinds)

    def verdict(self) -> Difference | None:
        for number in range(len(self.kinds)):
            if self.kinds[number] in FAULT_KINDS:
                continue
            difference = self._compared(number)
            if difference is None:
                continue
            if difference.law in ("value", "error", "exits") and self._is_better(number):
                return None
            if difference.law == "hooks" and self._failed_for_stock_alone(number):
                return None
            if self._may_part(number) or self._is_only_marked(number, difference):
                return next(self._broken_laws(), None)
            return difference
        return None

    def _told(self, law: str, step: int, stock: Any, ours: Any) -> Difference:
        return Difference(law, step, self.kinds[step], stock, ours)

    # As long as both say the same

    def _compared(self, number: int) -> Difference | None:
        stock, ours = self.stock[number], self.ours[number]
        broken = any(kind in FAULT_KINDS | OF_STATEMENTS for kind in self.kinds[: number + 1])
        for name in ALWAYS_TOLD:
            if name == "held" and broken:
                continue
            theirs, own = getattr(stock, name), getattr(ours, name)
            if name in ("value", "error") and self._spared(number):
                continue
            if name == "value" and self._shows_an_old_number(number):
                continue
            if name == "error" and _as_good(theirs, own):
                continue
            if name == "exits" and len(theirs) == len(own) and all(map(_as_good, theirs, own)):
                continue
            if theirs != own:
                return self._told(name, number, _shown(theirs, own), _shown(own, theirs))
        return None

    def _shows_an_old_number(self, number: int) -> bool:
        """Whether a read differs in `lastrowid` alone, which is that of an earlier statement.

        Stock's COMMIT outside a transaction sets it back; this engine sends none there.
        """
        stock, ours = self.stock[number].value, self.ours[number].value
        if not (
            isinstance(stock, list) and isinstance(ours, list) and len(stock) == 4 and stock[0]
        ):
            return False
        mine = (self.kinds[n] for n in range(number) if self.actors[n] == self.actors[number])
        return stock[:3] == ours[:3] and not {"commit", "rollback"}.isdisjoint(mine)

    def _spared(self, number: int) -> bool:
        return self.stock[number].value == "spared" and self.ours[number].error is None

    def _is_better(self, number: int) -> bool:
        """Whether stock Django shows here what this engine has mended on purpose.

        There are five such things. PyMySQL's ping opens another session in silence, so one that
        has died is usable to stock. Closing a driver's cursor reads what is left for another one:
        that one has lost its results then, and statements run that would have to wait for them.
        A cursor that has nothing to go on to takes the next result of another one.
        A cursor that was kept serves no more once its connection was closed. And a session that
        was told to be out of step stays so.
        """
        if number >= len(self.steps):
            return False
        if self.kinds[number] == "is_usable" and self.faulty:
            return self.stock[number].value is True and self.ours[number].value is False
        stock, ours = self.stock[number].error, self.ours[number].error
        if stock and not ours and stock[1] in CLOSED and self.kinds[number].startswith("cursor_"):
            return True
        if stock and not ours and stock[1] == OUT_OF_SYNC and self._was_out_of_step(number):
            return True
        waits = bool(ours) and ours[1] == OUT_OF_SYNC
        if not (waits or self.kinds[number].startswith("cursor_")):
            return False
        step = self.steps[number]
        if self.kinds[number] == "cursor_nextset" and self.stock[number].value is True:
            return any(
                (earlier.actor, earlier.db) == (step.actor, step.db)
                and earlier.kind == "cursor_call"
                and earlier.args[:1] != step.args[:1]
                for earlier in self.steps[:number]
            )
        return any(
            (earlier.actor, earlier.db) == (step.actor, step.db)
            and earlier.kind in ("cursor_close", "cursor_nextset", "abandon")
            and (waits or earlier.args[:1] != step.args[:1])
            for earlier in self.steps[:number]
        )

    def _was_out_of_step(self, number: int) -> bool:
        """Whether both engines have told this actor so before."""
        earlier = [n for n in range(number) if self.actors[n] == self.actors[number]]
        told = [(self.stock[n].error, self.ours[n].error) for n in earlier]
        return any(s is not None and s == o and s[1] == OUT_OF_SYNC for s, o in told)

    def _may_part(self, number: int) -> bool:
        """Whether this engine may report something else than stock Django from here on."""
        error = self.ours[number].error or next(iter(self.ours[number].exits), None)
        code = error[1] if error else None
        if code in WAITED:
            return self._others_hold(number)
        if self.kinds[number] == "found_rows" and code in LOSSES and self._was_recalled(number):
            return True
        if not self.faulty:
            return False
        if self._lost_in_a_hook(number):
            return True
        if code not in LOSSES or not str(error[0]).endswith(("OperationalError", "InterfaceError")):
            return False
        return self._may_be_lost(number)

    def _lost_in_a_hook(self, number: int) -> bool:
        """Whether a hook of `on_commit` was told of a loss, which a robust one keeps to itself."""
        return not _LOST_IN_A_HOOK.isdisjoint(self.ours[number].hooks)

    def _failed_for_stock_alone(self, number: int) -> bool:
        stock, ours = self.stock[number].hooks, self.ours[number].hooks
        return ours == [hook for hook in stock if hook not in _LOST_IN_A_HOOK] and ours != stock

    def _is_only_marked(self, number: int, difference: Difference) -> bool:
        """Whether a loss shows in nothing but Django's mark: the block is to be rolled back.

        So it is where another error was on its way, and rolling back to the savepoint failed.
        """
        lost = self.faulty and self._marked_alone(number)
        return difference.law == "flags" and lost and self._may_be_lost(number)

    def _marked_alone(self, number: int) -> bool:
        stock, ours = self.stock[number].flags, self.ours[number].flags
        return bool(stock and ours) and ours[1] and not stock[1]

    def _may_be_lost(self, number: int) -> bool:
        if number >= len(self.situations):
            return True
        at = self.situations[number][self.actors[number]]
        if self.kinds[number] == "next_borrower":
            return at.in_flight
        gone = "drop_tenant" in self.kinds[:number]  # so nobody can choose it again
        fragile = at.block is not None or at.keeps or at.in_flight or gone
        return fragile or self.kinds[number] in QUESTIONS | {"look"}

    def _was_recalled(self, number: int) -> bool:
        """Whether others may have had to be served with this actor's session meanwhile."""
        others = {self.actors[n] for n in range(number)} - {self.actors[number]}
        return len(others) >= self.program.pool

    def _others_hold(self, number: int) -> bool:
        if number >= len(self.situations):
            return False
        return any(_holds(at) for at in self.situations[number].values())

    # After a loss was reported

    def _broken_laws(self) -> Iterator[Difference]:
        self.lost = [n for n in range(len(self.kinds)) if self._is_lost(n)]
        self.writers = writers(self.program)
        self.seen_stock = [_visible(record) for record in self.stock]
        self.seen = [_visible(record) for record in self.ours]
        yield from self._acknowledged_is_stored()
        yield from self._lost_blocks_do_not_succeed()
        yield from self._undone_is_not_seen()
        yield from self._nothing_is_torn()
        yield from self._nothing_is_twice()
        yield from self._hooks_belong_to_stored_work()
        yield from self._errors_are_djangos()

    def _is_lost(self, number: int) -> bool:
        stock, ours = self.stock[number], self.ours[number]
        said = [ours.error, *ours.exits]
        if said != [stock.error, *stock.exits] and any(said):
            return True
        return self._marked_alone(number) or self._lost_in_a_hook(number)

    def _same(self, number: int) -> bool:
        stock, ours = self.stock[number], self.ours[number]
        return (stock.error, stock.exits, stock.skipped) == (ours.error, ours.exits, ours.skipped)

    def _losses(self, actor: str, first: int, last: int) -> list[int]:
        return [n for n in self.lost if first <= n <= last and self.actors[n] in (actor, "")]

    def _units(self) -> Iterator[tuple[tuple[str, int], int, int]]:
        """Every tag that stock Django stored: the tag, the step that wrote, the step that ended."""
        seen: set[tuple[str, int]] = set()
        for number, visible in enumerate(self.seen_stock):
            for tag in visible.keys() - seen:
                writer = self.writers.get(tag[1] // 10)
                if writer is not None:
                    yield tag, writer, number
            seen |= visible.keys()

    def _acknowledged_is_stored(self) -> Iterator[Difference]:
        for tag, writer, end in self._units():
            steps = range(writer, end + 1)
            mine = [n for n in steps if self.actors[n] == self.actors[writer] or n == end]
            start = self.situations[writer][self.actors[writer]].block
            since = writer if start is None else start
            if not all(map(self._same, mine)) or self._losses(self.actors[writer], since, end):
                continue
            if self._turned_elsewhere(writer):
                continue
            for number in range(end, len(self.kinds)):
                if tag in self.seen_stock[number] and tag not in self.seen[number]:
                    if self._has_left_a_database(number):
                        break  # it was deleted by a statement that was meant for another one
                    yield self._told("acknowledged work is missing", number, tag, "not stored")
                    return

    def _lost_blocks_do_not_succeed(self) -> Iterator[Difference]:
        """A loss that was caught inside a block is told again at its end, at the latest."""
        for tag, writer, end in self._units():
            actor = self.actors[writer]
            start = self.situations[writer][actor].block
            if start is None or self.actors[end] != actor or self.kinds[end] != "leave":
                continue
            if not (self._same(writer) and self._same(end)) or tag in self.seen[end]:
                continue
            told = [n for n in self._losses(actor, start, end) if self._is_of_the_server(n)]
            if self._is_marked(actor, self.steps[start].db, end):
                continue  # Django rolls it back, and says nothing: whoever caught the error knows.
            if any(self.steps[n].db == self.steps[start].db for n in told):
                law = "a block that lost its work ended as if it were stored"
                yield self._told(law, end, tag, "not stored")
                return

    def _is_marked(self, actor: str, db: str, end: int) -> bool:
        """Whether Django knew before this step that the block is to be rolled back."""
        earlier = (
            self.ours[n]
            for n in range(end - 1, -1, -1)
            if self.actors[n] == actor and (self.ours[n].flags_of or self.steps[n].db) == db
        )
        flags = next((record.flags for record in earlier if record.flags), [])
        return bool(flags) and flags[1]

    def _is_of_the_server(self, number: int) -> bool:
        error = self.ours[number].error
        return error is not None and error[1] in LOSSES

    def _turned_elsewhere(self, number: int) -> bool:
        """Whether a statement that would have changed the session was lost, so it is another."""
        earlier = self._losses(self.actors[number], 0, number)
        return any(self.kinds[loss] not in PASSING for loss in earlier)

    def _has_left_a_database(self, number: int) -> bool:
        """Whether the session was lost after the driver had been told to use another database."""
        actor = self.actors[number]
        told = any(
            step.kind == "raw_select_db" and step.actor == actor for step in self.steps[:number]
        )
        return told and bool(self._losses(actor, 0, number))

    def _undone_is_not_seen(self) -> Iterator[Difference]:
        for number, visible in enumerate(self.seen):
            for tag in visible.keys() - self.seen_stock[number].keys():
                if not self._excused(tag, number):
                    law = "what was not committed is stored"
                    yield self._told(law, number, "not stored", tag)
                    return

    def _excused(self, tag: tuple[str, int], number: int) -> bool:
        writer = self.writers.get(tag[1] // 10)
        if writer is None:
            return False
        if self.kinds[writer] in NOTING and "delete" in self.kinds[: number + 1]:
            return True  # The row that it was noted at is there, since its deletion was lost.
        actor = self.actors[writer]
        block = self.situations[writer][actor].block
        for loss in self._losses(actor, 0, number):
            if self.ours[loss].fate in UNKNOWN:
                return True
            here = self.situations[loss][actor].block if loss < len(self.situations) else None
            # Outside blocks nobody says where the work goes on after a loss.
            if writer > loss and (block is None or block != here):
                return True
        return False

    def _nothing_is_torn(self) -> Iterator[Difference]:
        units: dict[tuple[str, int], set[tuple[str, int]]] = {}
        for tag, writer, end in self._units():
            if end != writer and self.kinds[writer] != "on_commit":
                units.setdefault((self.actors[writer], end), set()).add(tag)
        for (_, end), tags in units.items():
            present = {tag for tag in tags if tag in self.seen[-1] and tag in self.seen_stock[-1]}
            expected = {tag for tag in tags if tag in self.seen_stock[-1]}
            missing = expected - present
            if present and missing and not all(self._excused_unit(tag) for tag in present):
                law = "a transaction is stored in part"
                yield self._told(law, end, sorted(expected), sorted(present))

    def _excused_unit(self, tag: tuple[str, int]) -> bool:
        writer = self.writers[tag[1] // 10]
        actor = self.actors[writer]
        outside = self.situations[writer][actor].block is None
        return outside and bool(self._losses(actor, 0, len(self.kinds)))

    def _nothing_is_twice(self) -> Iterator[Difference]:
        for number, visible in enumerate(self.seen):
            for tag, times in visible.items():
                if times > max(1, self.seen_stock[number].get(tag, 0)):
                    yield self._told("stored twice", number, "once", tag)
                    return

    def _hooks_belong_to_stored_work(self) -> Iterator[Difference]:
        for number, record in enumerate(self.ours):
            own = [hook for hook in record.hooks if hook.startswith("hook")]
            stock = [hook for hook in self.stock[number].hooks if hook.startswith("hook")]
            extra = [hook for hook in own if hook not in stock or own.count(hook) > 1]
            earlier = self._losses(self.actors[number], 0, number)
            outside = number >= len(self.situations) or all(
                self.situations[n][self.actors[n]].block is None for n in earlier if n < number
            )
            if extra and not (earlier and outside):
                yield self._told("a hook ran without its work", number, stock, own)
            if len(own) < len(stock) and not earlier:
                yield self._told("a hook of committed work did not run", number, stock, own)

    def _errors_are_djangos(self) -> Iterator[Difference]:
        for number in self.lost:
            for error in [self.ours[number].error, *self.ours[number].exits]:
                if error is None or self.kinds[number].startswith("raw_"):
                    continue
                module, code = error[0].rsplit(".", 1)[0], error[1]
                known = error in (self.stock[number].error, *self.stock[number].exits)
                if self.kinds[number] == "cursor_fetch" and code is None:
                    continue  # mysqlclient's own, of a cursor whose statement was refused
                management = error[0].endswith("TransactionManagementError")
                if known or management or (module == "django.db.utils" and code is not None):
                    continue
                yield self._told("an error is not Django's, or has no number", number, "", error)


def _holds(at: Situation) -> bool:
    return at.block is not None or at.holds


def _as_good(stock: list[Any] | None, ours: list[Any] | None) -> bool:
    """Whether they are equal, or Django let out an error that only the driver knows, and we not."""
    if stock is None or ours is None:
        return stock == ours
    of_driver = stock[0].startswith(("MySQLdb.", "pymysql."))
    return stock == ours or of_driver and ours[0].startswith("django.db.")


def _visible(record: Record) -> Counter[tuple[str, int]]:
    """How often each tag is stored, with its database."""
    found: Counter[tuple[str, int]] = Counter()
    for place, rows in record.stored.items():
        database = place.split(".")[0]
        for _, tag, _, note in rows:
            if tag is not None and tag > 0:
                found[database, tag] += 1
            for noted in re.findall(r"<(\d+)>", note):
                found[database, int(noted)] += 1
    return found


def _shown(value: Any, other: Any) -> Any:
    """Of what is stored, only what the other does not have."""
    if not (isinstance(value, dict) and isinstance(other, dict)):
        return value
    return {
        name: [row for row in part if row not in other.get(name, [])]
        for name, part in value.items()
        if part != other.get(name)
    }
