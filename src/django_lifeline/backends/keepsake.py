"""What a statement left to be asked for, kept for its author when his connection is recalled.

``LAST_INSERT_ID()``, ``ROW_COUNT()``, ``SHOW WARNINGS`` and ``SHOW ERRORS`` ask the session about
what it did last. A connection at rest may be lent to a borrower who would have to wait otherwise;
he asks these questions first, in the author's place, and the author gets the answers on whatever
connection he has when he asks.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections import deque
from collections.abc import Collection, Container
from typing import TYPE_CHECKING, Any, Protocol

from django_lifeline.core.session import MOST_NUMBERS, Session

if TYPE_CHECKING:
    from django_lifeline.core.drivers.base import DriverConnection

PATIENCE = 5.0
"""Seconds that the author waits for the borrower's questions to be answered."""

_ONLY_ROW_COUNT = re.compile(r"\s*SELECT\s+(ROW_COUNT\s*\(\s*\))\s*;?\s*", re.IGNORECASE)
_TOKEN = re.compile(
    r"""
    (?P<text> '(?:[^'\\]|'')*' | "(?:[^"\\]|"")*" | `(?:[^`]|``)*`
        | /\*(?!M?!).*?\*/ | --(?:\s.*?)?(?:\n|\Z) | \#.*?(?:\n|\Z) | ;\s*\Z )
    | (?<![\w.@$]) (?P<name> ROW_COUNT | FOUND_ROWS ) \s*\(\s*\)
    | (?P<unsure> ['"`\\;] | /\* )
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""What has to be told from a question in a statement; where it cannot be, it is ``unsure``."""
_SHOW_WARNINGS = re.compile(r"\s*SHOW\s+WARNINGS\s*;?\s*", re.IGNORECASE)
_COUNT_WARNINGS = re.compile(
    r"\s*(?:SHOW\s+COUNT\s*\(\s*\*\s*\)\s+WARNINGS|SELECT\s+@@(?:session\.)?warning_count)\s*;?\s*",
    re.IGNORECASE,
)
_SHOW_ERRORS = re.compile(r"\s*SHOW\s+ERRORS\s*;?\s*", re.IGNORECASE)
_COUNT_ERRORS = re.compile(
    r"\s*(?:SHOW\s+COUNT\s*\(\s*\*\s*\)\s+ERRORS|SELECT\s+@@(?:session\.)?error_count)\s*;?\s*",
    re.IGNORECASE,
)
_ROW = "SELECT %s AS `Level`, %s AS `Code`, %s AS `Message`"


class Author(Protocol):
    """Whoever may still ask: it is known weakly, and forgotten when he is gone."""

    returned: bool
    """Whether he has given his connection back, which ends his work."""


class Numbers:
    """The numbers that one piece of work was shown as given.

    That is no proof: an answer shows one that the statement brought along, too, of which
    ``LAST_INSERT_ID()`` knows nothing.
    """

    __slots__ = ("_mine", "unsure")

    def __init__(self) -> None:
        self._mine: deque[int] | None = None
        self.unsure = False
        """Whether a statement may have given one that it has not shown."""

    def __bool__(self) -> bool:
        return self.unsure or bool(self._mine)

    def add(self, numbers: Collection[int], session: Session, *, unsure: bool) -> None:
        """Take note of what an answer in *session* has shown."""
        if self._mine is None:
            self._mine = deque(maxlen=MOST_NUMBERS)
        self.unsure = self.unsure or unsure or len(self._mine) + len(numbers) > MOST_NUMBERS
        self._mine.extend(numbers)
        session.shown.extend(numbers)

    def has(self, number: int, shown: Container[int]) -> bool:
        """Whether a session's number is this piece of work's; *shown* is what all were shown."""
        if self._mine is not None and number in self._mine:
            return True
        return self.unsure and number not in shown


class Keepsake:
    """The answers to what one statement's author may ask."""

    __slots__ = (
        "_author",
        "_earlier",
        "_event",
        "_numbers",
        "_owns_id",
        "_shown",
        "found_rows",
        "is_fresh",
        "kept",
        "last_id",
        "lost",
        "row_count",
        "shown_id",
        "warned",
        "warnings",
    )

    def __init__(self, author: Author, row_count: int | None, *, warned: bool) -> None:
        self._author = weakref.ref(author)
        self._event: list[threading.Event] = []
        self._earlier: Keepsake | None = None
        self._owns_id = True
        self._numbers: Numbers | None = None
        self._shown: frozenset[int] = frozenset()
        self.row_count = row_count
        """What ``ROW_COUNT()`` answers; None: not the driver's number, which is a whole batch's."""
        self.found_rows: int | None = None
        """What ``FOUND_ROWS()`` answers; None: not known."""
        self.shown_id = 0
        """What a cursor shows as ``lastrowid`` after a statement that gives no number: mysqlclient
        goes on with the last one."""
        self.warned = warned
        self.last_id: int | None = None
        """What ``LAST_INSERT_ID()`` answered; None: it was not asked."""
        self.warnings: list[tuple[Any, ...]] = []
        self.kept = False
        """Whether the author knows that it is what he has to ask."""
        self.is_fresh = True
        """Whether its author may still be about to ask, as he turns to another session."""
        self.lost = False
        """Whether the session died before anybody asked it."""

    @classmethod
    def of_a_read(cls, author: Author) -> Keepsake:
        """Return that of a plain read, of which there is nothing to ask the session.

        Nor did its author put a number there. How many rows it would have found is not known.
        """
        made = cls(author, -1, warned=False)
        made.last_id = 0
        made._taken().set()
        return made

    @property
    def wanted(self) -> bool:
        """Whether the author is still there, and has not said that his work is over."""
        author = self._author()
        return self.kept or author is not None and not author.returned

    def take(self, connection: DriverConnection) -> None:
        """Ask the session, before its new borrower runs anything in it."""
        try:
            if self.warned:
                self.warnings = connection.run("SHOW WARNINGS")
            elif self.row_count is None:
                [(last_id, row_count)] = connection.run("SELECT LAST_INSERT_ID(), ROW_COUNT()")
                self.last_id, self.row_count = int(last_id), int(row_count)
                return
            self.last_id = int(connection.run("SELECT LAST_INSERT_ID()")[0][0])
        finally:
            self._taken().set()

    def arrived(self) -> bool:
        """Wait until the new borrower has asked; False: nobody did, or could."""
        return not self.lost and self._taken().wait(PATIENCE) and self.last_id is not None

    def follows(
        self, earlier: Keepsake | None, numbers: Numbers, session: Session, *, owns_id: bool
    ) -> None:
        """Take note of an earlier session's, and whether the number is its author's at all.

        Else it is if it is one of his *numbers*.
        """
        self._earlier, self._owns_id, self._numbers = earlier, owns_id, numbers
        self._shown = frozenset(session.shown)
        if earlier is not None and not self.shown_id:
            self.shown_id = earlier.shown_id

    def own_last_id(self) -> int | None:
        """Return what ``LAST_INSERT_ID()`` is to answer: the author's number, 0 if he has none.

        None: nobody knows it.
        """
        if self._owns_id or self._numbers:
            if not self.arrived() or self.last_id is None:
                return None
            if self._owns_id or self._numbers and self._numbers.has(self.last_id, self._shown):
                return self.last_id
        return 0 if self._earlier is None else self._earlier.own_last_id()

    def _taken(self) -> threading.Event:
        # Made when it is needed: few are. Whoever comes second finds the first one's.
        if not self._event:
            self._event.append(threading.Event())
        return self._event[0]

    def answer_to(self, sql: Any, args: Any) -> tuple[str, Any] | None:
        """Return SQL, with its parameters, that answers as the old session would; None: none can.

        ``LAST_INSERT_ID()`` needs none: the new session can be told the number.
        """
        if not isinstance(sql, str):
            return None
        if args:
            return self._filled_in(sql, args)
        errors = [row for row in self.warnings if row[0] == "Error"]
        for shows, counts, rows in (
            (_SHOW_WARNINGS, _COUNT_WARNINGS, self.warnings),
            (_SHOW_ERRORS, _COUNT_ERRORS, errors),
        ):
            if shows.fullmatch(sql):
                return _as_rows(rows)
            if counts.fullmatch(sql):
                return f"SELECT {len(rows)}", None
        if self.row_count is not None and (alone := _ONLY_ROW_COUNT.fullmatch(sql)):
            return f"SELECT {self.row_count} AS `{alone[1]}`", None
        return self._filled_in(sql, args)

    def _filled_in(self, sql: str, args: Any) -> tuple[str, Any] | None:
        """Return the statement with the numbers in the place of what asks for them."""
        numbers = {"ROW_COUNT": self.row_count, "FOUND_ROWS": self.found_rows}
        known: set[int | None] = set()

        def filled(token: re.Match[str]) -> str:
            if token["text"] is not None:
                return token[0]
            number = None if token["unsure"] else numbers[token["name"].upper()]
            known.add(number)
            return f"({number})"

        text = _TOKEN.sub(filled, sql)
        return (text, args) if known and None not in known else None


def _as_rows(rows: list[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Return SQL that gives these rows, with its parameters."""
    shown = rows or [("", 0, "")]
    text = " UNION ALL ".join([_ROW] * len(shown))
    return text if rows else f"{text} LIMIT 0", [value for row in shown for value in row]
