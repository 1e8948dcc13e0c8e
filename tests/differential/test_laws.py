"""What the judge lets pass and what not: records by hand, no server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.differential.known import parse
from tests.differential.laws import Difference, judge
from tests.differential.record import Record
from tests.differential.steps import Program

LOST = ["django.db.utils.OperationalError", 2013]
FLAGS = [False, False, 0, 0]
IN_BLOCK = [True, False, 0, 0]
MARKED = [True, True, 0, 0]


def record(*tags: int, error: Any = None, flags: Any = None, **more: Any) -> Record:
    """What a step did, after which rows with these tags are stored."""
    stored = {"a.item": [(number, tag, 0, "") for number, tag in enumerate(tags)]}
    return Record(error=error, flags=flags or FLAGS, stored=stored, **more)


def law(lines: str, stock: Sequence[Record], ours: Sequence[Record]) -> str:
    """The law that is broken; an empty text if none is."""
    steps = tuple(parse(f"A.a {line}") for line in lines.split("; "))
    found = judge(Program(steps), [*stock, stock[-1]], [*ours, ours[-1]])
    return found.law if isinstance(found, Difference) else ""


def test_equal_runs_are_lawful() -> None:
    run = [record(10), record(10)]
    assert law("insert 10; read", run, run) == ""


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("value", record(10, value=2)),
        ("error", record(10, value=1, error=["django.db.utils.DataError", 1264])),
        ("stored", record(value=1)),
        ("hooks", record(10, value=1, hooks=["hook 10"])),
        ("flags", record(10, value=1, flags=MARKED)),
        ("held", record(10, value=1, held={"locks": [1]})),
    ],
)
def test_difference_without_a_fault_is_told(name: str, ours: Record) -> None:
    assert law("insert 10", [record(10, value=1)], [ours]) == name


def test_loss_without_a_fault_is_told() -> None:
    assert law("insert 10", [record(10)], [record(error=LOST)]) == "error"


def test_loss_that_nothing_excuses_is_told() -> None:
    stock = [record(skipped=True), record(10)]
    assert law("kill_all; insert 10", stock, [record(), record(error=LOST)]) == "error"


def test_loss_in_a_block_is_lawful() -> None:
    lines = 'enter true false; kill_all; insert 10 leaves=1; leave "ok"'
    stock = [record(flags=IN_BLOCK)] * 3 + [record(10)]
    ours = [record(flags=IN_BLOCK)] * 2 + [record(error=LOST, exits=[LOST]), record(skipped=True)]
    assert law(lines, stock, ours) == ""


def in_a_block(*after_the_loss: Record) -> str:
    lines = 'enter true false; insert 10; kill_all; read; leave "ok"'
    stock = [record(flags=IN_BLOCK)] * 4 + [record(10)]
    ours = [record(flags=IN_BLOCK)] * 3 + list(after_the_loss)
    return law(lines, stock, ours)


def test_caught_loss_is_told_again_at_the_end_of_its_block() -> None:
    assert in_a_block(record(error=LOST, flags=IN_BLOCK), record(error=LOST)) == ""


def test_block_that_lost_its_work_in_silence_is_told() -> None:
    caught = record(error=LOST, flags=IN_BLOCK)
    silent = "a block that lost its work ended as if it were stored"
    assert in_a_block(caught, record()) == silent


def test_block_that_django_marked_ends_in_silence_as_with_stock() -> None:
    assert in_a_block(record(error=LOST, flags=MARKED), record()) == ""


def test_mark_of_another_databases_block_excuses_nothing() -> None:
    others = record(flags=MARKED, flags_of="b")
    steps = ("enter true false", "insert 10", "kill_all", "read", 'leave "ok"', 'leave "ok"')
    lines = "; ".join(steps)
    stock = [record(flags=IN_BLOCK)] * 4 + [others, record(10)]
    ours = [record(flags=IN_BLOCK)] * 3 + [record(error=LOST, flags=IN_BLOCK), others, record()]
    assert law(lines, stock, ours) == "a block that lost its work ended as if it were stored"


@pytest.mark.parametrize(
    ("broken", "last"),
    [
        ("acknowledged work is missing", record(20)),
        ("stored twice", record(10, 20, 20)),
        ("what was not committed is stored", record(10, 20, 99)),
        ("an error is not Django's, or has no number", record(10, 20, error=["OSError", None])),
    ],
)
def test_after_a_loss_the_laws_hold(broken: str, last: Record) -> None:
    lines = 'insert 10; sql "SET autocommit=0"; kill_all; sql "COMMIT"; insert 20'
    stock = [record(10)] * 4 + [record(10, 20)]
    ours = [record(10)] * 3 + [record(10, error=LOST), last]
    assert law(lines, stock, ours) == broken


def test_row_is_deleted_where_a_statement_went_after_its_database_was_lost() -> None:
    lines = 'insert 10; raw_select_db "ten2"; kill_all; insert 20; delete 1'
    ours = [record(10)] * 3 + [record(10, error=LOST), record()]
    assert law(lines, [record(10)] * 5, ours) == ""
    assert law(lines.replace("raw_select_db", "raw_sql"), [record(10)] * 5, ours) != ""


def test_choice_of_a_database_that_is_gone_cannot_be_made_again() -> None:
    lines = 'sql "USE ten1"; drop_tenant "ten1"; kill_all; insert 10'
    refused = record(error=["django.db.utils.ProgrammingError", 1146])
    assert law(lines, [*[record()] * 3, refused], [*[record()] * 3, record(error=LOST)]) == ""


@pytest.mark.parametrize(("pool", "found"), [(1, ""), (10, "error")])
def test_rows_found_are_told_unless_the_session_had_to_be_recalled(pool: int, found: str) -> None:
    steps = tuple(map(parse, ("B.a read", "A.a insert 10", "B.a found_rows")))
    stock = [record(), record(10), record(10, value=1), record(10)]
    ours = [record(), record(10), record(10, error=LOST), record(10)]
    difference = judge(Program(steps, pool), stock, ours)
    assert (difference.law if difference else "") == found


def test_error_that_only_the_driver_knows_may_be_djangos_here() -> None:
    drivers = record(error=["MySQLdb.OperationalError", 2006])
    djangos = record(error=["django.db.transaction.TransactionManagementError", None])
    assert law("read", [drivers], [djangos]) == ""
    assert law("read", [djangos], [drivers]) == "error"


def test_results_that_stock_loses_with_another_cursor_may_be_there() -> None:
    lines = 'cursor_open "p"; cursor_call "q" "two"; cursor_close "p"; cursor_nextset "q"'
    ours = [*[record()] * 3, record(value=True)]
    assert law(lines, [*[record()] * 3, record(value=False)], ours) == ""
    without = lines.replace('cursor_close "p"', "read")
    assert law(without, [*[record()] * 3, record(value=False)], ours) == "value"


def test_result_that_stock_takes_from_another_cursor_may_not_be_there() -> None:
    lines = 'cursor_open "p"; cursor_open "q"; cursor_call "q" "two"; cursor_nextset "p"'
    stock = [*[record()] * 3, record(value=True)]
    assert law(lines, stock, [*[record()] * 3, record(value=False)]) == ""
    mine = lines.replace('cursor_nextset "p"', 'cursor_nextset "q"')
    assert law(mine, stock, [*[record()] * 3, record(value=False)]) == "value"


def test_session_that_was_told_to_be_out_of_step_may_be_replaced() -> None:
    out_of_step = record(error=["django.db.utils.ProgrammingError", 2014])
    stock = [record(), out_of_step, out_of_step]
    lines = 'cursor_call "q" "two"; rollback; read'
    assert law(lines, stock, [record(), out_of_step, record()]) == ""
    assert law(lines, stock, [record(), record(), record()]) == "error"


def test_cursor_that_stock_has_closed_may_serve() -> None:
    lines, closed = 'close_old; cursor_execute "q" "SELECT 1"', ["django.db.utils.Error", 2006]
    assert law(lines, [record(), record(error=closed)], [record(), record()]) == ""


def test_pool_that_has_no_connection_is_lawful_only_while_somebody_holds_it() -> None:
    waited = record(error=["django.db.utils.OperationalError", 51901])
    stock = [record(), record()]
    assert law('sql "SELECT GET_LOCK(1, 0)"; read', stock, [record(), waited]) == ""
    assert law("exists; read", stock, [record(), waited]) == "error"


def test_loss_that_a_robust_hook_swallowed_excuses_what_follows() -> None:
    hooks = ["hook 10", "failed 2013"]
    stock = [record(), record(), record(10, hooks=["hook 10"]), record(10, value=[5])]
    ours = [record(), record(), record(10, hooks=hooks), record(10, value=[0])]
    program = 'kill_all; enter; leave "ok"; last_id'
    assert law(program, stock, ours) == ""
    assert law(program, ours, stock) == ""
    quiet = [record(), record(), record(10), record(10, value=[0])]
    assert law(program, [*quiet[:3], record(10, value=[5])], quiet) == "value"


def test_session_that_pymysql_opened_in_silence_is_no_better() -> None:
    stock, ours = [record(), record(value=True)], [record(), record(value=False)]
    assert law("kill_all; is_usable", stock, ours) == ""
    assert law("kill_all; is_usable", ours, stock) == "value"
    assert law("is_usable", stock[1:], ours[1:]) == "value"
