"""The state of one session with the server: what is open in it, and what it has left behind.

One `Session` belongs to one physical connection. It is told what ran, what the server's flags said
after the answer, and how it ended; it is asked by those who lend the connection, who replace it
when it dies, and who begin and end transactions. Plain values: no server, no clock, no lock.

The server's word goes before the text's. Where a driver shows the flags of the last answer,
`Session.observe` takes them; the text decides what no flag tells.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

from django_lifeline.core.effects import LONG, Boundary, Effect, Hides, Keeps, effect_of
from django_lifeline.core.standing import Standing
from django_lifeline.core.statement import Statement, statement_of


class IllegalMove(RuntimeError):
    """A session was told of something that cannot happen in its present state."""


class _Fast(enum.Enum):
    """One that is a key of `MOVES`: hashed by what it is, not by its name and in Python."""

    __hash__ = object.__hash__


class State(_Fast):
    """Which transaction is open, and who began it."""

    AUTOCOMMIT = "autocommit"
    """None is open: each statement is stored by itself."""
    BEGUN = "begun"
    """The engine's START TRANSACTION was acknowledged. It ends when the server ends it."""
    DOUBTFUL = "doubtful"
    """As `BEGUN`, and an error was answered since: the server may have ended it."""
    MANUAL = "manual"
    """The application began one in SQL or through the driver's object, or may have."""
    OFF = "off"
    """Autocommit is off: whatever runs is part of a transaction, the next one after an end."""

    open: bool


for _state in State:
    _state.open = _state is not State.AUTOCOMMIT


class Move(_Fast):
    """What may happen to a session's transaction."""

    BEGIN = "START TRANSACTION of the engine's"
    BEGIN_MANUALLY = "one begun by the application, or perhaps begun"
    END = "COMMIT or ROLLBACK"
    CHAIN = "COMMIT AND CHAIN, ROLLBACK AND CHAIN"
    SWITCH_OFF = "autocommit off"
    SWITCH_ON = "autocommit on, which commits"
    FAIL = "an error of the server's"
    VANISH = "the server says that none is open"


_A, _B, _D, _M, _O = State.AUTOCOMMIT, State.BEGUN, State.DOUBTFUL, State.MANUAL, State.OFF

MOVES: dict[Move, dict[State, State]] = {
    # START TRANSACTION would commit what is open, so the engine begins only where nothing is.
    Move.BEGIN: {_A: _B},
    Move.BEGIN_MANUALLY: {_A: _M, _B: _M, _D: _M, _M: _M, _O: _O},
    Move.END: {_A: _A, _B: _A, _D: _A, _M: _A, _O: _O},
    Move.CHAIN: {_A: _M, _B: _M, _D: _M, _M: _M, _O: _O},
    Move.SWITCH_OFF: {_A: _O, _B: _O, _D: _O, _M: _O, _O: _O},
    Move.SWITCH_ON: {_A: _A, _B: _B, _D: _D, _M: _M, _O: _A},
    Move.FAIL: {_A: _A, _B: _D, _D: _D, _M: _M, _O: _O},
    # The author of a block still counts on one: before his next statement it is made again.
    Move.VANISH: {_A: _A, _B: _D, _D: _D, _M: _A, _O: _O},
}
"""The legal moves, and where they lead."""

_ENDS = (Move.END, Move.CHAIN)
_UNCHOOSES = (Move.END, Move.SWITCH_ON)
_OF_AUTHORS = (Move.BEGIN_MANUALLY, Move.CHAIN)
"""Where autocommit is off the state does not tell that the author began it, and how."""

_NOT_RESET = frozenset({"role"})
"""What COM_RESET_CONNECTION leaves as it is, and MariaDB's COM_CHANGE_USER where the account has no
role by default."""

_RESET = Keeps.LOCK | Keeps.TABLE | Keeps.VARIABLE | Keeps.STATEMENT | Keeps.HANDLER
"""What every reset takes away. Whatever else was set may be a role."""

_TOO_MANY = ""
"""The text of no statement: what it stands for is not taken up anew."""

MOST_SETTINGS = 64
"""Statements that are made again on a replacement, at most; a session with more is pinned."""

MOST_NUMBERS = 1000
"""Numbers that are remembered of a session, and of each piece of work."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One statement that set something, by name, to literals."""

    names: frozenset[str]
    sql: str


@dataclass(frozen=True, slots=True)
class Arranged:
    """What receivers of ``connection_created`` made of a session for the one who has it."""

    settings: tuple[Setting, ...]
    can_be_reset: bool


class Session:
    """What is known of one session.

    It is in the hand of whoever holds the connection, and needs no lock.
    """

    __slots__ = (
        "active",
        "arranged",
        "chosen",
        "complained",
        "hidden",
        "hides",
        "inserted",
        "keeps",
        "partly_stored",
        "pinned_by",
        "savepoints",
        "settings",
        "settings_before",
        "shown",
        "state",
        "standing",
        "stays",
        "touched",
        "unseen",
        "work",
        "wrote",
    )

    def __init__(self, hides: Hides = Hides.NOTHING) -> None:
        self.state = State.AUTOCOMMIT
        self.work = 0
        """Statements that were answered in the open transaction."""
        self.active = False
        """Whether one of them may have looked at a table: until then stock's has not begun."""
        self.savepoints: tuple[str, ...] = ()
        """What was done with savepoints before it was `active`, in this order."""
        self.wrote = False
        """Whether one of them may have changed data."""
        self.standing = Standing()
        self.partly_stored = False
        """Whether one of them may have committed, as DDL does, what came before it."""
        self.settings: tuple[Setting, ...] = ()
        """What is to be made again on a replacement, in this order."""
        self.settings_before: tuple[Setting, ...] = ()
        """What they were when the open transaction began."""
        self.pinned_by = ""
        """The statement that left state no other session has; empty when there is none."""
        self.keeps = Keeps.NOTHING
        """What its author counts on from one statement to the next, and nothing makes again."""
        self.stays = False
        """Whether a reset may leave any of that as it is."""
        self.hides = hides
        """What of this database runs code that is in no statement's text, and leaves something."""
        self.hidden: frozenset[str] = frozenset()
        """Statements, by their text, whose code may have left something that is not in it."""
        self.arranged: Arranged | None = None
        """What is made again by itself on a replacement, and is not for the next borrower."""
        self.chosen = False
        """Whether its author said in SQL what the transaction is like that has not ended, or the
        next one: by SET TRANSACTION, or as he began it himself, such as READ ONLY."""
        self.touched = False
        """Whether anything is left behind: the next borrower must not see it."""
        self.unseen = False
        """Whether something ran that the engine did not see."""
        self.inserted = False
        """Whether ``LAST_INSERT_ID()`` may answer with a number of an earlier borrower's."""
        self.shown: deque[int] = deque(maxlen=MOST_NUMBERS)
        """Numbers that answers have shown as given, to whomever, the latest of them."""
        self.complained = False
        """Whether ``SHOW WARNINGS`` may answer with those of an earlier borrower."""

    # What others ask

    @property
    def clean(self) -> bool:
        """Whether it may rest: its holder loses nothing by a recall."""
        return not (self.touched or self.unseen) and self.state is State.AUTOCOMMIT

    @property
    def in_transaction(self) -> bool:
        """Whether the server has a transaction open, or may have."""
        return self.state.open

    @property
    def can_be_reset(self) -> bool:
        """Whether resetting it is known to take away everything that was left behind."""
        if self.arranged is not None and not self.arranged.can_be_reset:
            return False
        stays = any(kept.names & _NOT_RESET for kept in self.settings)
        return not (stays or self.stays or self.unseen or self.state.open)

    @property
    def first_in_transaction(self) -> bool:
        """Whether the open transaction has done nothing, and is one that can be begun again."""
        return self.work == 0 and self.state is not State.MANUAL and not self.chosen

    @property
    def lost_with_it(self) -> str:
        """The statement whose effect no other session has; empty when there is none."""
        return self.pinned_by or ("SET" if self.chosen else "")

    @property
    def missed(self) -> Keeps:
        """What its author would go on without after its loss, were he not kept from it.

        As far as it is known: a procedure may have begun a transaction, or not.
        """
        missed = self.keeps & ~Keeps.ON
        if self.hidden:
            missed |= Keeps.HIDDEN
        if self.state is State.OFF:
            missed |= Keeps.MODE
        elif self.chosen and not self.state.open:
            missed |= Keeps.CHOICE
        return missed if self.state.open else missed & ~Keeps.TRANSACTION

    # What it is told

    def arrange(self) -> None:
        """Take all that was done until now for what is done on every connection of its holder's.

        Receivers of ``connection_created`` are called again on a replacement. Where they took a
        lock, say, it does not rest: a recall would let go of that.
        """
        if not self.touched or self.unseen or self.state.open:
            return
        self.arranged = Arranged(self.settings, self.can_be_reset)
        self.touched = self.pinned_by not in ("", "SET") or bool(self.hidden)
        self.hidden = frozenset()
        self.settings = self.settings_before = ()
        self.chosen = False
        self.keeps = Keeps.NOTHING  # and they take it again
        if not self.touched:
            self.pinned_by, self.stays = "", False

    def move(self, move: Move) -> None:
        """Go where *move* leads; `IllegalMove` if it cannot happen now."""
        to = MOVES[move].get(self.state)
        if to is None:
            raise IllegalMove(f"{move.value!r} while the session is {self.state.value}")
        ends = move in _ENDS or not to.open
        if ends or not self.state.open:
            self.settings_before = self.settings
        if ends:
            # For the author of a block its part before COMMIT AND CHAIN is a part of it.
            self.partly_stored = move is Move.CHAIN and self.wrote
            self.work = 0
            self.active = self.wrote = False
            self.standing.begin()
            self.savepoints = ()
            if self.keeps is not Keeps.NOTHING:  # arithmetic of flags is slow
                self.keeps &= ~Keeps.TRANSACTION
        if move in _UNCHOOSES:
            self.chosen = False
        elif to is State.OFF and (move in _OF_AUTHORS or self.state is State.MANUAL):
            self.chosen = True
        self.state = to

    def observe(self, autocommit: bool, open_: bool | None) -> None:
        """Take over what the flags of the last answer say; ``open_`` None: they do not tell."""
        if not autocommit:
            if self.state is not State.OFF:
                self.move(Move.SWITCH_OFF)
            return
        if self.state is State.OFF:
            self.move(Move.SWITCH_ON)
        if open_ is None:
            return
        if open_ and self.state is State.AUTOCOMMIT:
            self.move(Move.BEGIN_MANUALLY)
            self.keeps |= Keeps.TRANSACTION
        elif not open_ and self.state.open:
            self.move(Move.VANISH)

    def ran(self, statement: Statement, sql: str | bytes, final: str | bytes | None) -> None:
        """Take in a statement that was answered; *final* is its text with its parameters."""
        if not statement.plain:
            if statement.boundary is not None and not statement.batch:
                self._cross(statement.boundary)
                return
            self._note_trace(statement, sql, final)
        if self.may_hide(statement):
            self._note_hidden(statement)
        if self.state is not State.AUTOCOMMIT:
            self.partly_stored = self.partly_stored or statement.may_commit
            self.work += 1
            if not (self.active or statement.tableless):
                self._look_at_a_table(statement, sql)
            if not statement.reads_only:
                self.wrote = True
                self.standing.writes += 1
            elif statement.savepoint:
                self.standing.cross(_text(sql))

    def failed(self, statement: Statement) -> None:
        """Take in a statement that was answered with an error.

        Part of it may have run: the earlier rows of a batch, the beginning of a procedure, the
        implicit commit of DDL, what a table without transactions kept. Nor does any number prove
        that the transaction is undone: MariaDB says 1213 of GET_LOCK, a trigger of what it likes.
        """
        if not statement.plain:
            self.touched = True
            if statement.opaque:
                self.move(Move.BEGIN_MANUALLY)
            if statement.pins:
                self._pin(statement)
        if self.may_hide(statement):
            self._note_hidden(statement)
        if self.state.open:
            self.work += 1
            self.active = self.active or not statement.tableless
            if not statement.reads_only:
                self.wrote = True
                self.standing.writes += 1
            if statement.may_commit and statement.boundary is not Boundary.CHOOSES:
                self.partly_stored = True
        self.move(Move.FAIL)

    def lost(self) -> tuple[Setting, ...]:
        """Its author is told that the open transaction is lost; return what he set in it."""
        set_in_it = tuple(kept for kept in self.settings if kept not in self.settings_before)
        self.settings = self.settings_before
        return set_in_it

    def changed_in_driver(self) -> None:
        """Something was set in the driver's object itself, which no reset takes back."""
        self.touched = self.stays = True
        self.hidden |= {_TOO_MANY}
        self.pinned_by = self.pinned_by or "connection.connection"

    def ran_unseen(self, by_author: bool = True) -> None:
        """Commands were sent through the driver's object: anything may have happened.

        Where it was in nobody's hands something broke in after an answer: that was an own one.
        """
        self.unseen = True
        if by_author:
            self.hidden |= {_TOO_MANY}
        # An error may have been among the answers.
        self.move(Move.FAIL if self.state is State.BEGUN else Move.BEGIN_MANUALLY)
        self.work += 1
        # Nor is it known what they have committed, or whether each one after them is.
        self.active = self.wrote = self.partly_stored = True
        self.standing.writes += 1

    def _look_at_a_table(self, statement: Statement, sql: str | bytes) -> None:
        if statement.savepoint and "%" not in _text(sql):
            self.savepoints += (_text(sql),)
        else:
            self.active = True

    def _note_trace(
        self, statement: Statement, sql: str | bytes, final: str | bytes | None
    ) -> None:
        self.touched = True
        names, text = statement.sets, _text(sql)
        filled_in = final is not None and statement.keyword == "SET" and not statement.batch
        # Of a template the text is what was sent: "%%" is "%" by then.
        if final is not None and filled_in and (not names or "%" in text):
            names, text = _with_parameters(final)
        if names:
            self._remember(Setting(frozenset(names), text))
        elif statement.pins:
            self._pin(statement)
            if statement.opaque:
                self.move(Move.BEGIN_MANUALLY)

    def _pin(self, statement: Statement) -> None:
        self.pinned_by = self.pinned_by or statement.keyword
        self.keeps |= statement.keeps
        unlike = statement.opaque or not statement.keeps or statement.keeps & ~_RESET
        if unlike or statement.keyword == "SET" and "ROLE" in statement.text.upper():
            self.stays = True

    def may_hide(self, statement: Statement) -> bool:
        """Whether *statement* may leave something in the session that its text does not show."""
        if statement.opaque:
            return True
        if self.hides is Hides.NOTHING or statement.tableless or statement.savepoint:
            return False
        return self.hides is Hides.ALL or not statement.reads_only

    def _note_hidden(self, statement: Statement) -> None:
        self.touched = True
        self.pinned_by = self.pinned_by or statement.keyword
        text = statement.text
        few = text in self.hidden or len(self.hidden) < MOST_SETTINGS
        self.hidden |= {text if few and len(text) <= LONG else _TOO_MANY}

    def _cross(self, boundary: Boundary) -> None:
        move = _CROSSED.get(boundary)
        if boundary is Boundary.LEAVES:
            # Where something was open, whoever goes on is to hear that it is over.
            move = Move.BEGIN_MANUALLY if self.state.open else Move.END
        if boundary in (Boundary.BEGINS, Boundary.LEAVES) and self.work:
            self.partly_stored = True  # it commits what was open
        if move is not None:
            self.move(move)
        if move in _OF_AUTHORS:
            self.keeps |= Keeps.TRANSACTION
        if boundary is Boundary.CHOOSES:
            self.chosen = True
        self.touched = True

    def _remember(self, setting: Setting) -> None:
        others = tuple(kept for kept in self.settings if not kept.names <= setting.names)
        depends_on_mode = any("sql_mode" in kept.names for kept in self.settings)
        if len(others) >= MOST_SETTINGS or depends_on_mode and _reads_by_mode(setting.sql):
            self.pinned_by, self.stays = self.pinned_by or "SET", True
            return
        self.settings = (*others, setting)


def met(
    missed: Keeps,
    statement: Statement,
    forgone: frozenset[str] = frozenset(),
    hidden: frozenset[str] = frozenset(),
) -> tuple[bool, Keeps]:
    """Whether *statement* may run though so much is missed, and what is missed once it was met.

    *forgone* are the names of what `Keeps.FORGONE` stands for, *hidden* the texts of the
    statements that `Keeps.HIDDEN` does: what one has left, whatever it was, it leaves again.

    It may where it takes up anew some of what is missed, and looks at no table unless that is all;
    or where it is the ROLLBACK of what the server has rolled back. What would end a transaction or
    a mode in good order may not, but it is the last that is told.
    """
    taken = statement.keeps & missed
    if statement.keyword == "COMMIT":
        goes_on = statement.boundary is Boundary.CHAINS
        return False, missed if goes_on else missed & ~Keeps.TRANSACTION
    if statement.keyword == "ROLLBACK" and statement.boundary is not None:
        undone = missed & Keeps.TRANSACTION
        return bool(undone), missed & ~undone
    if missed & Keeps.FORGONE:
        # Of a value that is no literal the names are not known.
        named = forgone if statement.keeps & Keeps.SETTING else forgone.intersection(statement.sets)
        if named:
            return True, missed & ~(taken | Keeps.FORGONE if named == forgone else taken)
    if missed & ~taken == Keeps.HIDDEN and hidden == {statement.text}:
        # Where more is missed it may be what this needs.
        return True, Keeps.NOTHING
    if taken:
        harmless = statement.tableless or statement.keyword in _TAKES_UP
        return (True, missed & ~taken) if harmless or taken == missed else (False, missed)
    if statement.keeps & Keeps.ON:
        return False, missed & ~(Keeps.MODE | Keeps.TRANSACTION)
    return False, missed


_TAKES_UP = frozenset({"BEGIN", "CREATE", "FLUSH", "HANDLER", "LOCK", "PREPARE", "START", "XA"})


_CROSSED = {
    Boundary.BEGINS: Move.BEGIN_MANUALLY,
    Boundary.ENDS: Move.END,
    Boundary.CHAINS: Move.CHAIN,
}
"""What the flags of the answer tell (SET autocommit) is not in it."""


def _reads_by_mode(sql: str) -> bool:
    """Whether the text may mean another thing under another ``sql_mode``."""
    return '"' in sql or "\\" in sql


def _text(sql: str | bytes) -> str:
    return sql if isinstance(sql, str) else bytes(sql).decode("latin-1")


def _with_parameters(final: str | bytes) -> tuple[tuple[str, ...], str]:
    """Return what a SET with parameters set, if the driver made literals of them, and its text."""
    text = _text(final)
    # Other letters may have been encoded in another way than they would be the next time.
    if not text.isascii() or effect_of(text) is not Effect.SETS:
        return (), text
    return statement_of(text).sets, text
