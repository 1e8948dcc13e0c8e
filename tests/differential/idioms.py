"""Steps that matter only in an order: a grammar of what goes wrong in the middle of something.

Each idiom belongs to a theme. What stands between its steps, how often, and whether something
breaks there, is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.differential.steps import Step
from tests.differential.themes import THEMES, WRITES, hooked, step, tagged

if TYPE_CHECKING:
    from tests.differential.generation import Author

Idiom = Callable[["Author"], "list[Step]"]

BEGINNINGS = [
    *(step("sql", text) for text in ("BEGIN", "START TRANSACTION", "SET autocommit=0")),
    *(step("raw_sql", text) for text in ("BEGIN", "SET autocommit=0")),
    step("raw_autocommit", False),
    step("raw_begin"),
    step("set_autocommit", False),
    step("several", "BEGIN", "SELECT 1"),
]
ENDINGS = [
    *(step("sql", text) for text in ("COMMIT", "COMMIT", "ROLLBACK")),
    *(step("sql", text) for text in ("COMMIT AND CHAIN", "ROLLBACK AND CHAIN")),
]
QUESTIONS = [step(kind) for kind in ("last_id", "last_id", "row_count", "warnings", "found_rows")]
ASKED_ABOUT = [
    *map(tagged, ("insert", "create", "insert_ignored", "note_many", "last_id_by_django"))
]

FAILING_BATCHES = [*map(tagged, ("note_many_failing", "bulk_create_failing")), WRITES[-1]]


def broken_work(author: Author) -> list[Step]:
    """Something is done, something breaks, something more is done."""
    theme = author.choice(author.themes)
    before, after = author.any_of(theme, 3), author.any_of(theme, 2)
    return [*before, *author.breaks(), *after, *author.write()]


def chained(author: Author) -> list[Step]:
    """One transaction after the other, ended by the application itself."""
    steps = author.any_of(BEGINNINGS)
    for _ in range(author.random.randint(1, 3)):
        steps += [*author.write(2), *author.breaks(0.3), *author.any_of(ENDINGS)]
    steps += author.write()
    return [*steps, *author.breaks(), *author.write(), author.plain("sql", "COMMIT")]


def tenants(author: Author) -> list[Step]:
    """From one database to the other, of which one is dropped."""
    steps = []
    for _ in range(author.random.randint(1, 3)):
        name = author.choice(("ten1", "ten2", "ten1", "a", "b"))
        steps += [author.plain("sql", f"USE {{{name}}}"), *author.write()]
    if author.chance(0.6):
        steps.append(author.plain("drop_tenant", "ten1"))
    return [*steps, *author.breaks(), *author.write(), *author.write(), author.plain("look")]


def settings(author: Author) -> list[Step]:
    """Some settings, a loss, and a look at what is left of them."""
    steps = author.any_of(THEMES["session"][:11], 4)
    return [*steps, *author.breaks(), author.plain("look"), *author.write()]


def kept_cursors(author: Author) -> list[Step]:
    """A cursor that is kept meets another thread's in the middle of an answer."""
    other = author.other()
    kept = [author.plain("sql", "SELECT 3")] if author.chance(0.7) else []
    kept.append(author.plain("cursor_open", "p"))
    if author.chance(0.4):
        kept.append(author.plain("cursor_execute", "p", "SELECT tag FROM item ORDER BY id"))
    reading = [
        author.plain("cursor_open", "q", actor=other),
        author.plain("cursor_call", "q", "two", actor=other),
        author.plain("cursor_fetch", "q", author.choice((0, 1)), actor=other),
    ]
    late: list[tuple[Any, ...]] = [("cursor_close",), ("cursor_nextset",), ("abandon",)]
    late += [("cursor_fetch", 0), ("cursor_scroll", 1), ("cursor_tell",)]
    meddling = []
    for _ in range(author.random.randint(1, 2)):
        kind, *args = author.choice(late)
        meddling.append(author.plain(kind, "p", *args))
    rest = [
        author.plain("cursor_nextset", "q", actor=other),
        author.plain("cursor_fetch", "q", 0, actor=other),
    ]
    return [*kept, *reading, *meddling, *rest]


def questions(author: Author) -> list[Step]:
    """Something is asked about a statement after others were served."""
    steps = author.any_of(ASKED_ABOUT)
    for _ in range(author.random.randint(1, 2)):
        other = author.other()
        between = author.choice((*ASKED_ABOUT, step("exists"), tagged("next_borrower")))
        steps.append(author.draw(between, actor=other))
    return [*steps, *author.breaks(0.3), *author.any_of(QUESTIONS, 2)]


def batch_in_a_block(author: Author) -> list[Step]:
    """A block with a hook and a batch, which may fail in part, and a loss before its end."""
    steps = [author.plain("enter", True, False)]
    steps += [author.draw(hooked)] if author.chance(0.6) else []
    # A batch that is the only work of its block shows what it counts for.
    steps += author.any_of(*((FAILING_BATCHES, 1) if author.chance(0.5) else (THEMES["many"], 2)))
    steps += [*author.breaks(), *(author.write() if author.chance(0.3) else [])]
    return [*steps, author.plain("leave", author.choice(("ok", "ok", "fail")))]


def swallowed_in_a_block(author: Author) -> list[Step]:
    """An error inside a block, or an inner one, is caught there, and the block goes on."""
    depth = author.random.randint(1, 2)
    failing = author.choice(("duplicate", "deadlock", "get_missing", "fight", "fight_at_once"))
    steps = [author.plain("enter", True, False) for _ in range(depth)]
    steps += [*author.write(), *author.breaks(0.6), author.plain(failing), *author.write()]
    steps += [author.plain("leave", author.choice(("ok", "ok", "fail"))) for _ in range(depth)]
    return steps


def left_behind(author: Author) -> list[Step]:
    """Something is left in the session, the work ends, and somebody else comes."""
    themes = [THEMES[name] for name in ("session", "locks", "raw", "tenants", "sql transactions")]
    steps = author.any_of(author.choice(themes), 2)
    ends = author.choice(("close_old", "request_ends", "close", "end_thread", "close_all"))
    steps += [author.plain(ends), author.draw(tagged("next_borrower"))]
    return steps


def deferred(author: Author) -> list[Step]:
    """What Django calls manual transactions."""
    steps = [author.plain("set_autocommit", False), *author.any_of(WRITES, 2)]
    steps += [author.draw(hooked)] if author.chance(0.4) else []
    steps += [*author.breaks(), *author.write()]
    steps.append(author.plain(author.choice(("commit", "rollback"))))
    return [*steps, author.plain("set_autocommit", True), *author.write()]


IDIOMS: dict[str, list[Idiom]] = {
    "plain": [broken_work, broken_work, left_behind],
    "many": [batch_in_a_block, batch_in_a_block],
    "hooks": [batch_in_a_block],
    "sql transactions": [chained, chained],
    "django transactions": [deferred, swallowed_in_a_block],
    "rivals": [swallowed_in_a_block],
    "session": [settings, left_behind],
    "tenants": [tenants, tenants],
    "locks": [left_behind],
    "raw": [chained, left_behind],
    "cursors": [kept_cursors, kept_cursors],
    "questions": [questions, questions],
}
"""By the theme in which they are drawn."""
