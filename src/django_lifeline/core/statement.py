"""What the engine must know of a statement before and after it runs, as plain attributes.

`core.effects` reads the SQL and says what it does to a session. Reading takes time and flag
arithmetic is slow in Python, so the answer is kept per SQL text in the form the hot path asks
for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import islice

from django_lifeline.core.effects import (
    Asks,
    Boundary,
    Effect,
    Keeps,
    asks_of,
    boundary_of,
    effect_of,
    first_keyword,
    kept_by,
    settings_of,
    touches_no_table,
)

_CACHE_SIZE = 4096
_CACHED_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement's traits."""

    text: str = field(repr=False)
    """The text, by which it is known again; not to be shown."""
    keyword: str
    """The first keyword, for labels; never more of the text."""
    repeatable: bool
    """A plain read: running it twice is the same as running it once."""
    plain: bool
    """Leaves no trace in the session: neither settings, nor state, nor a transaction."""
    reads_only: bool
    """Changes no data, so that a transaction of nothing else has nothing to commit."""
    sets: tuple[str, ...]
    """What it sets to literals, by name, which can be repeated on another connection."""
    pins: bool
    """Leaves session state that cannot be carried to another connection."""
    opaque: bool
    """Runs code that is not in the text, which may begin or end a transaction, too."""
    asks: Asks
    """What it asks of the session's previous statement."""
    may_commit: bool
    """Begins, ends or implicitly commits a transaction, or might."""
    boundary: Boundary | None
    """What it does to the transaction, where that is all it does."""
    keeps: Keeps
    """What its author counts on from then on, and nothing makes again."""
    shapes: bool
    """Says what transactions are like: it must come before the one that is to be so."""
    savepoint: bool
    """Sets, releases or returns to a savepoint, and that is all."""
    tableless: bool
    """Reads and writes no table: with autocommit off no transaction begins with it."""
    sets_the_unknown: bool
    """Sets what is not only a variable of the session to a literal: autocommit may be among it, or
    what becomes of a transaction when it ends."""

    simple: bool = False
    """A plain read that asks nothing of the session's previous statement: what most of them are,
    and what needs the least care."""
    batch: bool = False
    """Run for many rows, in several commands: some may have run when one is lost."""

    @property
    def ends_transaction(self) -> bool:
        """Whether none is open after it, whatever became of it: a mere COMMIT or ROLLBACK."""
        return self.boundary in (Boundary.ENDS, Boundary.LEAVES)

    @property
    def as_batch(self) -> Statement:
        """The same statement run for many rows."""
        return replace(self, batch=True, repeatable=False, simple=False)


def statement_of(sql: str | bytes) -> Statement:
    """Return the traits of *sql*, a template or the final text.

    There is no lock: each step on the dictionary is atomic, and a lost entry is worked out again.
    """
    if isinstance(sql, bytearray):
        sql = bytes(sql)
    known = known_statements.get(sql)
    if known is not None:
        return known
    savepoint = _SAVEPOINT.fullmatch(sql) if isinstance(sql, str) else None
    bare = f"{savepoint[1]} `name`" if savepoint else without_last_comment(sql)
    known = known_statements.get(bare)
    if known is None:
        known = _read(bare)
        _remember(bare, known)
    return known


_SAVEPOINT = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) `\w+`")
"""Django's, which gives each a name of its own: they are all the same."""


def without_last_comment(sql: str | bytes) -> str | bytes:
    """Cut off a comment at the very end: tracing tools write another one for each statement.

    A comment that a server runs (``/*!``) stays, and one of several lines, which may begin within
    another one. Quotes need no thought: outside of a comment, what ends in ``*/`` is no SQL.
    """
    if isinstance(sql, bytes):
        text = sql.rstrip(b" \t\n\r;")
        start = text.rfind(b"/*") if text.endswith(b"*/") else -1
        stays = text[start + 2 : start + 3] in (b"!", b"M") or b"\n" in text[start:]
    else:
        plain = str(sql).rstrip(" \t\n\r;")
        start = plain.rfind("/*") if plain.endswith("*/") else -1
        stays = plain[start + 2 : start + 3] in ("!", "M") or "\n" in plain[start:]
    return sql if start < 0 or stays else sql[:start].rstrip()


known_statements: dict[str | bytes, Statement] = {}
"""What `statement_of` found already, for those who have no time to call it."""


def _remember(sql: str | bytes, statement: Statement) -> None:
    if len(sql) > _CACHED_LENGTH:
        return
    if len(known_statements) >= _CACHE_SIZE:
        # The oldest part of it only: texts that never come again shall not cost those that do.
        for old in list(islice(known_statements, max(1, _CACHE_SIZE // 8))):
            known_statements.pop(old, None)
    known_statements[sql] = statement


_STATEFUL = Effect.SETS | Effect.PINS | Effect.OPAQUE | Effect.TRANSACTION
_OF_TRANSACTIONS = frozenset({"transaction_isolation", "transaction_read_only"})
_COMMITTING = Effect.TRANSACTION | Effect.IMPLICIT_COMMIT | Effect.OPAQUE


def _read(sql: str | bytes) -> Statement:
    effect = effect_of(sql)
    keyword = first_keyword(sql)
    transaction = Effect.TRANSACTION in effect and not effect & (Effect.PINS | Effect.OPAQUE)
    only_sets = effect is Effect.SETS
    sets = settings_of(sql) if only_sets else ()
    boundary = boundary_of(sql) if transaction else None
    previous = Effect.USES_PREVIOUS in effect
    pins = bool(effect & (Effect.PINS | Effect.OPAQUE)) or (only_sets and not sets)
    return Statement(
        text=sql if isinstance(sql, str) else bytes(sql).decode("latin-1"),
        keyword=keyword,
        repeatable=Effect.READ in effect and not effect & (_STATEFUL | Effect.USES_PREVIOUS),
        plain=not effect & _STATEFUL,
        reads_only=not effect & ~(Effect.READ | Effect.SAVEPOINT | Effect.SETS),
        sets=sets,
        pins=pins,
        opaque=bool(effect & Effect.OPAQUE) or (Effect.TRANSACTION in effect and not transaction),
        asks=asks_of(sql) if previous else Asks.NOTHING,
        may_commit=bool(effect & _COMMITTING),
        boundary=boundary,
        keeps=kept_by(sql, settings=pins) if pins or transaction else Keeps.NOTHING,
        savepoint=effect is Effect.SAVEPOINT,
        tableless=not effect & (Effect.OPAQUE | Effect.DML) and touches_no_table(sql),
        sets_the_unknown=keyword == "SET" and Effect.PINS in effect,
        shapes=boundary is Boundary.CHOOSES or not _OF_TRANSACTIONS.isdisjoint(sets),
        simple=effect is Effect.READ,
    )
