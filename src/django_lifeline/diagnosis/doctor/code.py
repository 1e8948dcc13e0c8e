"""What a project's own code does about connections, and to their sessions: found in its source.

Nothing is imported or run. Only the project's own files are read, a bounded number of them.
"""

from __future__ import annotations

import ast
import enum
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from django_lifeline.core.effects import Boundary, Effect, boundary_of, effect_of, settings_of

MOST_FILES = 3000
LONGEST = 300_000
"""Bytes of a file that is read; what is longer was not written by hand."""
MOST_FOUND = 50

_SKIPPED = frozenset(
    {
        *("site-packages", "dist-packages", "node_modules", "venv", "env", "migrations", "tests"),
        *("test", "static", "media", "locale", "templates", "build", "dist", "__pycache__"),
    }
)
_REMEDY_HINTS = (
    *("close_old_connections", "close_if_unusable", "close_all", "ensure_connection", "is_usable"),
    *("2006", "2013", "gone away", "Lost connection", ".ping(", "CursorWrapper"),
    *("DatabaseWrapper", "MySQLdb.connect", "pymysql.connect", "connection.close"),
    *("SERVER_GONE", "SERVER_LOST"),
)
_RUNS_SQL = (".execute(", ".raw(", "RunSQL(")


class Kind(enum.Enum):
    """What somebody did about it."""

    PATCH = "patch"
    """A method of Django's or the driver's is replaced."""
    REPEAT = "repeat"
    """An error with the number 2006 or 2013 is caught, and something is done again."""
    PING = "ping"
    """The driver's own ``ping`` is called, which may reconnect behind Django's back."""
    MIDDLEWARE = "middleware"
    """A middleware closes, checks or opens connections."""
    CLOSE = "close"
    """Old connections are closed by hand, which is what Django itself advises."""


@dataclass(frozen=True, slots=True, order=True)
class Remedy:
    """One of them, and where it is."""

    file: str
    line: int
    kind: Kind
    name: str
    """What is replaced, called or defined: a dotted name of the code."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.name})"


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """A statement that leaves state in its session, and where it is run."""

    file: str
    line: int
    text: str
    """How the statement begins."""
    sets: tuple[str, ...] = ()
    """The variables that it sets, where that is all it does."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.text})"


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in all files."""

    remedies: tuple[Remedy, ...] = ()
    pins: tuple[Pin, ...] = ()


_PATCHED = frozenset(
    {
        *("BaseDatabaseWrapper", "DatabaseWrapper", "CursorWrapper", "CursorDebugWrapper"),
        *("MySQLdb", "pymysql", "Connection", "Cursor"),
    }
)
_PATCHED_NAMES = frozenset(
    {
        *("ensure_connection", "connect", "get_new_connection", "is_usable", "cursor", "execute"),
        *("executemany", "_execute", "close_if_unusable_or_obsolete", "query", "ping", "_cursor"),
        *("create_cursor", "init_connection_state", "_query", "close"),
    }
)
_CLOSES = frozenset({"close_old_connections", "close_if_unusable_or_obsolete", "close_all"})
_TOUCHES = _CLOSES | {"ensure_connection", "is_usable", "ping"}
_NUMBERS = frozenset({2006, 2013})
_NAMES = frozenset({"CR_SERVER_GONE_ERROR", "CR_SERVER_LOST", "SERVER_GONE_ERROR", "SERVER_LOST"})
_WORDS = ("gone away", "Lost connection")


_LEAVES_STATE = Effect.PINS | Effect.SETS
_SHOWN_OF_A_STATEMENT = 40
_LITERAL = re.compile("['\"]")
"""Where values begin, which are not told."""


def pins_in(text: str, file: str) -> Iterator[Pin]:
    """Yield the statements of a file's text that leave state in their session."""
    for node in _nodes(text, _RUNS_SQL):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            sql = node.args[0]
            if (
                node.func.attr in ("execute", "raw", "RunSQL")
                and isinstance(sql, ast.Constant)
                and isinstance(sql.value, str)
                and _leaves_state(sql.value)
            ):
                words = _LITERAL.split(" ".join(sql.value.split()))[0]
                begin = words[:_SHOWN_OF_A_STATEMENT].rstrip()
                yield Pin(file, node.lineno, begin, settings_of(sql.value))


def _leaves_state(sql: str) -> bool:
    effect = effect_of(sql)
    chooses = bool(effect & Effect.TRANSACTION) and boundary_of(sql) is Boundary.CHOOSES
    return bool(effect & _LEAVES_STATE) or chooses


def _nodes(text: str, hints: Iterable[str]) -> Iterator[ast.AST]:
    """Yield all nodes of a text that has one of the hints; none of what cannot be read."""
    if not any(hint in text for hint in hints):
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from ast.walk(tree)


def remedies_in(text: str, file: str) -> Iterator[Remedy]:
    """Yield the remedies in a file's text."""
    nodes = list(_nodes(text, _REMEDY_HINTS))
    in_middleware: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and _is_middleware(node):
            calls = list(_calls(node, _TOUCHES))
            if calls:
                in_middleware |= {id(call) for call in calls}
                yield Remedy(file, node.lineno, Kind.MIDDLEWARE, node.name)
    for node in nodes:
        yield from _patches(node, file)
        yield from _repeats(node, file)
        if isinstance(node, ast.Call) and id(node) not in in_middleware:
            yield from _called(node, file)


def _patches(node: ast.AST, file: str) -> Iterator[Remedy]:
    targets = node.targets if isinstance(node, ast.Assign) else ()
    for target in targets:
        if isinstance(target, ast.Attribute) and target.attr in _PATCHED_NAMES:
            owner = ast.unparse(target.value)
            if owner.rpartition(".")[2] in _PATCHED:
                yield Remedy(file, target.lineno, Kind.PATCH, f"{owner}.{target.attr}")
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr" and len(node.args) == 3:
        owner, name = ast.unparse(node.args[0]), getattr(node.args[1], "value", "")
        if owner.rpartition(".")[2] in _PATCHED and name in _PATCHED_NAMES:
            yield Remedy(file, node.lineno, Kind.PATCH, f"{owner}.{name}")


def _repeats(node: ast.AST, file: str) -> Iterator[Remedy]:
    if not isinstance(node, ast.ExceptHandler):
        return
    compared = [each for each in ast.walk(node) if isinstance(each, ast.Compare)]
    if any(_looks_for_a_loss(each) for each in compared):
        caught = ast.unparse(node.type) if node.type else "every error"
        yield Remedy(file, node.lineno, Kind.REPEAT, f"except {caught}"[:60])


def _looks_for_a_loss(comparison: ast.Compare) -> bool:
    for node in ast.walk(comparison):
        value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        if type(value) is int and value in _NUMBERS:
            return True
        if isinstance(value, str) and any(word in value for word in _WORDS):
            return True
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        if isinstance(name, str) and name in _NAMES:
            return True
    return False


def _called(node: ast.Call, file: str) -> Iterator[Remedy]:
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if last in _CLOSES and (last != "close_all" or "connections" in name):
        yield Remedy(file, node.lineno, Kind.CLOSE, name[:60])
    elif last == "ping" and "connection.connection" in name:
        yield Remedy(file, node.lineno, Kind.PING, name[:60])


def _is_middleware(node: ast.ClassDef | ast.FunctionDef) -> bool:
    if isinstance(node, ast.FunctionDef):
        return bool(node.args.args) and node.args.args[0].arg == "get_response"
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    return "MiddlewareMixin" in bases or node.name.endswith("Middleware")


def _calls(node: ast.AST, names: frozenset[str]) -> Iterator[ast.Call]:
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            name = ast.unparse(each.func)
            last = name.rpartition(".")[2]
            if last in names or (last == "close" and name.endswith("connection.close")):
                yield each


@lru_cache(maxsize=8)
def scan(roots: tuple[str, ...]) -> Scan:
    """Look into the Python files below *roots*, which are named from there."""
    remedies: list[Remedy] = []
    pins: list[Pin] = []
    for root, path in islice(_files(roots), MOST_FILES):
        try:
            if path.stat().st_size > LONGEST:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        name = path.relative_to(root.parent).as_posix()
        remedies += remedies_in(text, name)
        pins += pins_in(text, name)
    return Scan(tuple(sorted(remedies)[:MOST_FOUND]), tuple(sorted(pins)[:MOST_FOUND]))


def _files(roots: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    for root in map(Path, roots):
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in _SKIPPED and name[0] != "."]
            for name in names:
                if name.endswith(".py") and not name.startswith(("test_", "conftest")):
                    yield root, Path(folder, name)
