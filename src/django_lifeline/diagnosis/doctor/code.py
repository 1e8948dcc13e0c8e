"""Remedies that a project's own code has against lost connections: found in its source.

Nothing is imported or run. Only the project's own files are read, a bounded number of them.
"""

from __future__ import annotations

import ast
import enum
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

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
_HINTS = (
    *("close_old_connections", "close_if_unusable", "close_all", "ensure_connection", "is_usable"),
    *("2006", "2013", "gone away", "Lost connection", ".ping(", "CursorWrapper"),
    *("DatabaseWrapper", "MySQLdb.connect", "pymysql.connect", "connection.close"),
    *("SERVER_GONE", "SERVER_LOST"),
)


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


def remedies_in(text: str, file: str) -> Iterator[Remedy]:
    """Yield the remedies in a file's text; none for what cannot be read."""
    if not any(hint in text for hint in _HINTS):
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    in_middleware: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and _is_middleware(node):
            calls = list(_calls(node, _TOUCHES))
            if calls:
                in_middleware |= {id(call) for call in calls}
                yield Remedy(file, node.lineno, Kind.MIDDLEWARE, node.name)
    for node in ast.walk(tree):
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
def scan(roots: tuple[str, ...]) -> tuple[Remedy, ...]:
    """Return the remedies in the Python files below *roots*, which are named from there."""
    found: list[Remedy] = []
    for root, path in islice(_files(roots), MOST_FILES):
        try:
            if path.stat().st_size > LONGEST:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found += remedies_in(text, path.relative_to(root.parent).as_posix())
    return tuple(sorted(found)[:MOST_FOUND])


def _files(roots: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    for root in map(Path, roots):
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in _SKIPPED and name[0] != "."]
            for name in names:
                if name.endswith(".py") and not name.startswith(("test_", "conftest")):
                    yield root, Path(folder, name)
