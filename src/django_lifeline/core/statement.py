"""What the engine must know of a statement before and after it runs, as plain attributes.

`core.session` reads the SQL and says what it does to a session. Reading takes time and flag
arithmetic is slow in Python, so the answer is kept per SQL text in the form the hot path asks
for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django_lifeline.core.session import Effect, effect_of, first_keyword

_CACHE_SIZE = 4096
_CACHED_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement's traits."""

    keyword: str
    """The first keyword, for labels; never more of the text."""
    repeatable: bool
    """A plain read: running it twice is the same as running it once."""
    plain: bool
    """Leaves no trace in the session: neither settings, nor state, nor a transaction."""
    reads_only: bool
    """Changes no data, so that a transaction of nothing else has nothing to commit."""
    sets: bool
    """Only literal session settings, which can be repeated on another connection."""
    pins: bool
    """Leaves session state that cannot be carried to another connection."""
    uses_previous: bool
    """Asks for something the session's previous statement left behind."""
    may_commit: bool
    """Begins, ends or implicitly commits a transaction, or might."""
    ends_transaction: bool
    """COMMIT or ROLLBACK, as SQL."""
    chooses_transaction: bool
    """SET TRANSACTION, which must come before the transaction it describes."""

    batch: bool = False
    """Run for many rows, in several commands: some may have run when one is lost."""

    @property
    def as_batch(self) -> Statement:
        """The same statement run for many rows."""
        return replace(self, batch=True, repeatable=False)


def statement_of(sql: str | bytes) -> Statement:
    """Return the traits of *sql*, a template or the final text."""
    known = known_statements.get(sql)
    if known is not None:
        return known
    statement = _read(sql)
    if len(sql) <= _CACHED_LENGTH:
        if len(known_statements) >= _CACHE_SIZE:
            known_statements.clear()
        known_statements[sql] = statement
    return statement


known_statements: dict[str | bytes, Statement] = {}
"""What `statement_of` found already, for those who have no time to call it."""

_STATEFUL = Effect.SETS | Effect.PINS | Effect.OPAQUE | Effect.TRANSACTION
_COMMITTING = Effect.TRANSACTION | Effect.IMPLICIT_COMMIT | Effect.OPAQUE


def _read(sql: str | bytes) -> Statement:
    effect = effect_of(sql)
    keyword = first_keyword(sql).upper()
    transaction = Effect.TRANSACTION in effect
    return Statement(
        keyword=keyword,
        repeatable=Effect.READ in effect and not effect & (_STATEFUL | Effect.USES_PREVIOUS),
        plain=not effect & _STATEFUL,
        reads_only=not effect & ~(Effect.READ | Effect.SAVEPOINT | Effect.SETS),
        sets=bool(effect & Effect.SETS) and not effect & (_STATEFUL & ~Effect.SETS),
        pins=bool(effect & (Effect.PINS | Effect.OPAQUE)),
        uses_previous=Effect.USES_PREVIOUS in effect,
        may_commit=bool(effect & _COMMITTING),
        ends_transaction=transaction and keyword in ("COMMIT", "ROLLBACK"),
        chooses_transaction=transaction and keyword == "SET",
    )
