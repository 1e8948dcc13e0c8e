"""What programs are drawn from: kinds of steps, by the subject that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.differential.generation import Author

Drawn = tuple[str, tuple[Any, ...]]
"""A kind and its arguments."""
Draw = Callable[["Author"], Drawn]


def step(kind: str, *args: object) -> Draw:
    """Always the same step."""
    return lambda author: (kind, args)


def tagged(kind: str, *args: object) -> Draw:
    """A step that writes a tag of its own."""
    return lambda author: (kind, (author.tag(), *args))


def tagged_row(kind: str) -> Draw:
    """A step that notes its tag at a row."""
    return lambda author: (kind, (author.tag(), author.row()))


def of_row(kind: str) -> Draw:
    """A step about one of the rows."""
    return lambda author: (kind, (author.row(),))


def named(kind: str, *args: object) -> Draw:
    """A step with something that is kept under a name."""
    return lambda author: (kind, (author.choice("pq"), *args))


def numbered(kind: str) -> Draw:
    """A step that writes some rows."""
    return lambda author: (kind, (author.tag(), author.random.randint(1, 3)))


def statements(*texts: str) -> list[Draw]:
    """Statements as they are."""
    return [step("sql", text) for text in texts]


def calling(procedure: str) -> Draw:
    """A call of a procedure that writes a tag."""
    return lambda author: ("call", (procedure, author.tag()))


def inserting(*around: str) -> Draw:
    """Several statements in one text, with an INSERT where the star is."""

    def draw(author: Author) -> Drawn:
        row = f"INSERT INTO item (tag) VALUES (#{author.tag()})"
        return "several", tuple(text.replace("*", row) for text in around)

    return draw


def hooked(author: Author) -> Drawn:
    """A hook of any kind."""
    what = author.choice(("plain", "plain", "write", "nested", "fail"))
    return "on_commit", (author.tag(), what, author.chance(0.3))


WRITES = [
    *(tagged(kind) for kind in ("create", "insert", "save", "get_or_create", "update_or_create")),
    *(tagged_row(kind) for kind in ("update", "note", "save_again")),
    numbered("bulk_create"),
    numbered("insert_many"),
]

THEMES: dict[str, list[Draw]] = {
    "plain": [*WRITES, step("read"), step("exists"), of_row("delete")],
    "orm": [
        *(step(k) for k in "read aggregate exists values_list read_joined iterate".split()),
        *(of_row(k) for k in "refresh lock_row lock_row_nowait delete".split()),
        *(tagged(k) for k in "create_with_entry bulk_create_failing get_or_create save".split()),
        *(step(k) for k in "duplicate get_missing".split()),
        tagged_row("bulk_update"),
        tagged_row("save_again"),
        tagged("update_or_create"),
        named("begin_iterating"),
        named("iterate_on"),
        named("abandon"),
    ],
    "many": [
        tagged("note_many"),
        tagged("note_many_failing"),
        tagged("note_many_failing"),
        numbered("insert_many"),
        tagged("bulk_create_failing"),
        tagged("insert_ignored"),
        inserting("*", "SELECT 1"),
        inserting("*", "INSERT INTO item (tag) VALUES (#-1)", "SELECT 2"),
        inserting("BEGIN", "*"),
        inserting("BEGIN", "*", "COMMIT"),
        inserting("SET autocommit=0", "*"),
        calling("add_item"),
        calling("begin_and_add"),
        step("call", "two"),
    ],
    "sql transactions": [
        *statements("BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK"),
        *statements("COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "COMMIT AND NO CHAIN"),
        *statements("SET autocommit=0", "SET autocommit=1", "SET @@session.autocommit = OFF"),
        *statements("SAVEPOINT s1", "ROLLBACK TO s1", "RELEASE SAVEPOINT s1"),
        *statements("SET TRANSACTION READ ONLY", "START TRANSACTION READ ONLY"),
        *statements("COMMIT", "SET autocommit=0"),
        *WRITES[:3],
    ],
    "django transactions": [
        step("set_autocommit", False),
        step("set_autocommit", True),
        *(step(k) for k in "commit rollback get_autocommit".split()),
        *(named(k) for k in "savepoint savepoint_rollback savepoint_commit".split()),
        step("set_rollback", True),
        step("set_rollback", False),
        hooked,
        hooked,
        *WRITES[:3],
    ],
    "hooks": [hooked, *WRITES[:3], step("duplicate")],
    "definitions": [
        *statements("CREATE TABLE extra_1 (id INT)", "DROP TABLE IF EXISTS extra_1"),
        *statements("ALTER TABLE extra_1 ADD COLUMN b INT", "TRUNCATE TABLE shelf"),
        *statements("ANALYZE TABLE shelf"),
        *WRITES[:3],
        hooked,
    ],
    "rivals": [
        step("deadlock"),
        step("deadlock"),
        step("rival_locks"),
        step("rival_lets_go"),
        step("fight_at_once"),
        step("fight"),
        named("savepoint"),
        named("savepoint_rollback"),
        *WRITES[:4],
    ],
    "session": [
        *statements("SET time_zone = '+05:30'", "SET SESSION sql_mode = 'ANSI_QUOTES'"),
        *statements("SET @v = 5", "SET @w := 'x', time_zone = '+01:00'", "SET @v = @v + 1"),
        *statements("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        *statements("SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET sort_buffer_size = 65536"),
        *statements("SET time_zone = DEFAULT", "SET time_zone = 'nowhere'"),
        step("sql_with", "SET time_zone = %s", "+02:00"),
        step("sql_with", "SET SESSION sort_buffer_size = %s", 131072),
        step("sql_with", "SET @v = %s", 7),
        step("look"),
        step("look"),
        tagged("next_borrower"),
        step("close_old"),
    ],
    "tenants": [
        *statements("USE {ten1}", "USE {ten2}", "USE {a}", "USE {b}", "USE {ten2}"),
        *WRITES[:3],
        step("look"),
        step("raw_select_db", "{ten1}"),
        step("drop_tenant", "ten1"),
        tagged("next_borrower"),
        step("close_old"),
    ],
    "locks": [
        *statements("SELECT GET_LOCK('{l1}', 0)", "DO GET_LOCK('{l2}', 0)"),
        *statements("SELECT RELEASE_LOCK('{l1}')", "SELECT RELEASE_ALL_LOCKS()"),
        *statements("CREATE TEMPORARY TABLE scratch (x INT)", "INSERT INTO scratch VALUES (3)"),
        *statements("DROP TEMPORARY TABLE scratch", "LOCK TABLES shelf READ", "UNLOCK TABLES"),
        *statements("PREPARE prepared FROM 'SELECT 7'", "EXECUTE prepared"),
        step("look"),
        tagged("next_borrower"),
        step("close_old"),
        step("end_thread"),
        tagged("create"),
    ],
    "raw": [
        *(step("raw_sql", t) for t in ("BEGIN", "COMMIT", "ROLLBACK", "SET autocommit=0")),
        step("raw_sql", "SELECT GET_LOCK('{l1}', 0)"),
        step("raw_sql", "SET time_zone = '+03:00'"),
        step("raw_sql", "SET @v = 9"),
        step("raw_sql", "CREATE TEMPORARY TABLE scratch (x INT)"),
        tagged("raw_insert"),
        tagged("raw_insert"),
        step("raw_query", "SET @w = 4"),
        step("raw_select_db", "{ten2}"),
        step("raw_autocommit", False),
        step("raw_autocommit", True),
        *(step(k) for k in "raw_begin raw_commit raw_rollback raw_touch".split()),
        tagged("next_borrower"),
        tagged("next_borrower"),
        step("close_old"),
        step("look"),
    ],
    "cursors": [
        named("cursor_open"),
        named("cursor_open"),
        named("cursor_execute", "SELECT tag FROM item ORDER BY id"),
        named("cursor_execute", "SELECT 1 FROM nowhere"),
        named("cursor_execute", "INSERT INTO shelf VALUES (1), (1)"),
        named("cursor_call", "two"),
        named("cursor_call", "two"),
        named("cursor_fetch", 1),
        named("cursor_fetch", 2),
        named("cursor_fetch", 0),
        named("cursor_nextset"),
        named("cursor_nextset"),
        named("cursor_scroll", 1),
        named("cursor_tell"),
        named("cursor_close"),
        named("cursor_close"),
        named("abandon"),
        step("sql", "SELECT 3"),
        step("close_old"),
    ],
    "questions": [
        *(step(k) for k in "last_id last_id row_count found_rows warnings warnings".split()),
        tagged("insert"),
        tagged("create"),
        tagged("insert_ignored"),
        tagged("last_id_by_django"),
        step("sql", "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 1"),
        tagged("next_borrower"),
        step("duplicate"),
    ],
    "ends": [
        *(step(k) for k in "close close_old close_all request_ends end_thread".split()),
        *(step(k) for k in "ensure is_usable look".split()),
        tagged("next_borrower"),
        *WRITES[:3],
    ],
}


def restarted(author: Author) -> Drawn:
    """A restart takes seconds, so it is rare, and only where it was asked for."""
    return ("restart" if author.restarts and author.chance(0.2) else "kill_all"), ()


def killed_by_orm(author: Author) -> Drawn:
    """A statement of the ORM whose session is killed while it runs."""
    if author.chance(0.5):
        return "killed_orm_reading", (author.choice(READING),)
    return "killed_orm_writing", (author.tag(), author.choice(WRITING))


READING = ("exists", "aggregate", "first", "iterator", "in_bulk", "values_list", "lock")
WRITING = ("update", "create", "save", "bulk_create", "get_or_create", "update_or_create", "delete")

FAULTS: list[Draw] = [
    *[step("kill_all")] * 6,
    restarted,
    step("killed_reading"),
    tagged("killed_writing"),
    killed_by_orm,
    killed_by_orm,
]


def broken(author: Author) -> Drawn:
    """The exchange that is broken, where, and how; silence ends with the client's patience."""
    pattern = author.choice(("^COMMIT", "^COMMIT", "^INSERT", "^UPDATE", "^SELECT", "^S", "."))
    when = author.choice(("before", "after_send", "mid_answer"))
    how = "blackhole" if author.chance(0.1) else author.choice(("rst", "fin"))
    return "break_next", (pattern, when, how)


def late(author: Author) -> Drawn:
    """An answer that comes when its reader has lost his patience; it takes seconds, so seldom."""
    if author.chance(0.6):
        return broken(author)
    return ("late_writing", (author.tag(),)) if author.chance(0.6) else ("late_reading", ())


WIRE: list[Draw] = [*[broken] * 4, late, step("cut", "rst"), step("cut", "fin"), step("kill_all")]
