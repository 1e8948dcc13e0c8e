"""Small programs that once showed a fault, by the fault's name: they always run."""

from __future__ import annotations

import json
import re

from tests.differential.steps import Program, Step

WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


def program(*lines: str, pool: int = 10, wire: bool = False, name: str = "") -> Program:
    """A program from the lines in which `Step` prints itself."""
    return Program(tuple(map(parse, lines)), pool, wire, name)


def parse(line: str) -> Step:
    """The step that a line of ``actor.db kind args… leaves=n`` describes."""
    place, kind, *rest = WORD.findall(line)
    actor, db = place.split(".")
    leaves = next((int(word[7:]) for word in rest if word.startswith("leaves=")), 0)
    args = tuple(json.loads(word) for word in rest if not word.startswith("leaves="))
    return Step(kind, args, actor, db, leaves)


KNOWN = {
    "autocommit is set in SQL inside a block, and the next borrower has none": (
        "A.a enter true false",
        "A.a insert 10",
        'A.a sql "SET autocommit = 1"',
        'A.a leave "ok"',
        "A.a close",
        "A.a insert 20",
        "A.a close",
        "A.a insert 30",
    ),
    "a transaction is chosen after what touches no table": (
        "A.a enter true false",
        'A.a sql "SELECT 1"',
        'A.a sql "SET TRANSACTION READ ONLY"',
        'A.a leave "ok"',
    ),
    "cursors go on to show a number after a loss": (
        "A.a create 20",
        "A.a kill_all",
        "A.a fight_at_once",
    ),
    "a deadlock ends the transaction, and the block goes on": (
        "A.a enter true false",
        "A.a deadlock",
        "A.a insert 10",
        'A.a leave "fail"',
    ),
    "a transaction chained in SQL is lost": (
        'A.a sql "BEGIN"',
        "A.a insert 10",
        'A.a sql "COMMIT AND CHAIN"',
        "A.a insert 20",
        "A.a kill_all",
        "A.a insert 30",
        'A.a sql "COMMIT"',
    ),
    "a transaction without autocommit is lost after a COMMIT": (
        'A.a sql "SET autocommit=0"',
        "A.a insert 10",
        'A.a sql "COMMIT"',
        "A.a insert 20",
        "A.a kill_all",
        "A.a insert 30",
        'A.a sql "COMMIT"',
    ),
    "a batch that failed in part is lost with its transaction": (
        "A.a enter true false",
        'A.a on_commit 10 "plain" false',
        "A.a note_many_failing 20",
        "A.a kill_all",
        'A.a leave "ok"',
    ),
    "a transaction of the driver is left open": (
        'A.a raw_sql "BEGIN"',
        "A.a raw_insert 10",
        "A.a close_old",
        "A.a next_borrower 20",
    ),
    "a database chosen by the driver": (
        'A.a raw_select_db "{ten2}"',
        "A.a close_old",
        "A.a next_borrower 10",
    ),
    "a user lock taken by the driver": (
        "A.a raw_sql \"SELECT GET_LOCK('{l1}', 0)\"",
        "A.a close_old",
        "A.a next_borrower 10",
    ),
    "autocommit switched off by the driver": (
        "A.a raw_autocommit false",
        "A.a close_old",
        "A.a next_borrower 10",
    ),
    "a transaction that its author made read only, as a block begins": (
        'A.a sql "START TRANSACTION READ ONLY"',
        'A.a break_next "^SELECT" "after_send" "rst"',
        "A.a enter true true",
        "A.a note 40 1",
    ),
    "a tenant that is gone is chosen again": (
        'A.a sql "USE {ten1}"',
        "A.a insert 10",
        'A.a sql "USE {ten2}"',
        "A.a insert 20",
        'A.a drop_tenant "ten1"',
        "A.a kill_all",
        "A.a insert 30",
        "A.a insert 40",
    ),
    "an unused cursor is closed while another thread reads": (
        'A.a sql "SELECT 1"',
        'A.a cursor_open "p"',
        'B.a cursor_open "q"',
        'B.a cursor_call "q" "two"',
        'B.a cursor_fetch "q" 0',
        'A.a cursor_close "p"',
        'B.a cursor_nextset "q"',
        'B.a cursor_fetch "q" 0',
    ),
    "an unused cursor moves on another thread's answer": (
        'A.a sql "SELECT 1"',
        'A.a cursor_open "p"',
        'B.a cursor_open "q"',
        'B.a cursor_call "q" "two"',
        'B.a cursor_fetch "q" 0',
        'A.a cursor_nextset "p"',
        'B.a cursor_nextset "q"',
        'B.a cursor_fetch "q" 0',
    ),
    "a cursor that was read moves on another thread's answer": (
        'A.a cursor_open "p"',
        'A.a cursor_execute "p" "SELECT tag FROM item ORDER BY id"',
        'A.a cursor_fetch "p" 0',
        'B.a cursor_open "q"',
        'B.a cursor_call "q" "two"',
        'B.a cursor_fetch "q" 0',
        'A.a cursor_nextset "p"',
        'B.a cursor_nextset "q"',
        'B.a cursor_fetch "q" 0',
    ),
    "lastrowid after COMMIT, when another thread was served": (
        "A.a get_or_create 10",
        "C.a last_id_by_django 30",
        "A.a last_id",
    ),
    "LAST_INSERT_ID() after another thread was served": (
        "A.a insert 10",
        "B.a exists",
        "A.a last_id",
    ),
    "SHOW WARNINGS after another thread was served": (
        "A.a insert_ignored 10",
        "B.a exists",
        "A.a warnings",
    ),
    "lastrowid of a read after another thread was served": (
        "A.a insert 20",
        "A.a next_borrower 40",
        'A.a sql "SELECT 3"',
        "A.a next_borrower 60",
        "A.a sql \"SELECT GET_LOCK('{l1}', 0)\"",
    ),
    "ROW_COUNT() of a batch after another thread was served": (
        "A.a note_many 10",
        "B.a note_many 20",
        "A.a row_count",
    ),
    "ROW_COUNT() of a read after another thread was served": (
        "A.a read",
        "B.a note_many 20",
        "A.a row_count",
    ),
    "LAST_INSERT_ID() of a thread that has ended": (
        "A.a insert 10",
        "A.a end_thread",
        "A.a next_borrower 20",
    ),
    "LAST_INSERT_ID() of a thread that lives": ("A.a insert 10", "A.a next_borrower 20"),
    "LAST_INSERT_ID() of a row that RETURNING gave": (
        "A.a insert 10",
        "B.a create 20",
        "B.a last_id",
    ),
    "lastrowid after a transaction between": (
        "A.a insert_many 10 3",
        "A.a bulk_create 20 2",
        "A.a found_rows",
    ),
    "COMMIT while a result is still to be read": (
        "A.a enter true false",
        "A.a insert 10",
        'A.a cursor_open "q"',
        'A.a cursor_call "q" "two"',
        'A.a leave "ok"',
    ),
    "ROLLBACK while a result is still to be read": (
        "A.a sql \"SELECT GET_LOCK('{l1}', 0)\"",
        "A.a enter true false",
        "A.a insert 10",
        'A.a cursor_open "q"',
        'A.a cursor_call "q" "two"',
        'A.a leave "fail"',
        "A.a look",
    ),
    "LAST_INSERT_ID() after a procedure": (
        "A.a insert 10",
        'B.a call "add_item" 20',
        "B.a last_id",
    ),
    "LAST_INSERT_ID() after several statements in one text": (
        "A.a insert 10",
        'B.a several "BEGIN" "INSERT INTO item (tag) VALUES (#20)" "COMMIT"',
        "B.a last_id",
    ),
    "ANALYZE TABLE in a block leaves lastrowid": (
        "A.a enter true true",
        "A.a insert 10",
        'A.a sql "ANALYZE TABLE shelf"',
    ),
    "the driver's COMMIT in a block that fails": (
        "A.a enter true false",
        "A.a raw_commit",
        "A.a raw_insert 10",
        "A.a insert 20",
        'A.a leave "fail"',
    ),
    "the driver's autocommit in a block that fails": (
        "A.a enter true false",
        "A.a raw_autocommit true",
        "A.a insert 10",
        'A.a leave "fail"',
    ),
    "the driver is used after a deadlock in a block": (
        "A.a enter true false",
        "A.a deadlock",
        "A.a raw_insert 10",
        'A.a leave "fail"',
    ),
    "a user lock taken by the driver, and is_usable()": (
        "A.a raw_sql \"SELECT GET_LOCK('{l1}', 0)\"",
        "A.a is_usable",
        "A.a close_all",
    ),
    "a write whose answer is late, after the driver's COMMIT": (
        "A.a raw_commit",
        "A.a late_writing 10",
    ),
    "ROW_COUNT() after an INSERT with RETURNING, when another thread was served": (
        "A.a create 20",
        "A.a next_borrower 30",
        "A.a row_count",
    ),
    "is_usable() while results of a procedure are unread": (
        'A.a cursor_open "q"',
        'A.a cursor_call "q" "two"',
        "A.a is_usable",
    ),
    "get_autocommit() after the connection was closed in a block": (
        "A.a enter true false",
        "A.a close_old",
        "A.a get_autocommit",
    ),
    "LAST_INSERT_ID() after ROW_COUNT() when another thread was served": (
        "A.b last_id_by_django 10",
        "B.b insert 20",
        "A.b row_count",
        "A.b last_id",
    ),
    "another cursor moves on to a result that one left unread": (
        'A.a cursor_open "q"',
        'A.a cursor_call "q" "two"',
        'A.a cursor_open "q"',
        'A.a cursor_nextset "q"',
        'A.a cursor_close "q"',
        "A.a exists",
    ),
    "a thread ends with a user lock": (
        "A.a sql \"SELECT GET_LOCK('{l1}', 0)\"",
        "A.a end_thread",
        "B.a exists",
    ),
    "a thread ends in a transaction": (
        "A.a set_autocommit false",
        "A.a note 10 1",
        "A.a end_thread",
        "B.a exists",
    ),
}
"""The lines of each program, as they are printed."""

SMALL_POOLS = {
    "LAST_INSERT_ID() after ROW_COUNT() when another thread was served": 1,
    "lastrowid of a read after another thread was served": 1,
    "ROW_COUNT() of a batch after another thread was served": 1,
    "ROW_COUNT() of a read after another thread was served": 1,
    "LAST_INSERT_ID() of a row that RETURNING gave": 1,
    "LAST_INSERT_ID() after a procedure": 1,
    "LAST_INSERT_ID() after several statements in one text": 1,
    "an unused cursor is closed while another thread reads": 1,
    "an unused cursor moves on another thread's answer": 1,
    "a cursor that was read moves on another thread's answer": 1,
    "lastrowid after COMMIT, when another thread was served": 1,
    "LAST_INSERT_ID() after another thread was served": 1,
    "LAST_INSERT_ID() of a thread that lives": 1,
    "SHOW WARNINGS after another thread was served": 1,
    "ROW_COUNT() after an INSERT with RETURNING, when another thread was served": 1,
}


def programs() -> list[Program]:
    """All of them."""
    return [
        program(
            *lines,
            pool=SMALL_POOLS.get(name, 10),
            wire=any("break_next" in line or " late_" in line for line in lines),
            name=name,
        )
        for name, lines in KNOWN.items()
    ]
