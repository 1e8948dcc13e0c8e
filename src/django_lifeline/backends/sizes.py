"""How many bytes values take in a statement, told without rendering the statement.

All sizes are upper bounds for both drivers and the client character set utf8mb4.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

EXPANSION = 16
"""The most that a value grows on its way into a statement: JSON writes one character as twelve,
and two of these are backslashes, which are doubled. It leaves room for compressing, encrypting
and other fields of applications."""
SHORT = 40
"""A number, a date, a UUID or NULL, with what stands between two values."""
_FRAME = 24
"""Quotes, ``_binary``, hexadecimal's prefix and what stands between two values."""

# What either driver writes as two bytes. In binary data mysqlclient does the same to what looks
# like the first byte of a longer character and is none.
_DOUBLED_IN_TEXT = b"\0\n\r\x1a\"'\\"
_DOUBLED_IN_BYTES = _DOUBLED_IN_TEXT + bytes(range(0x80, 0x100))


def raw_size(value: Any) -> int:
    """Return the length of a value as the application holds it: characters, or bytes.

    Raises ``ValueError`` where that is not known without asking the value's field.
    """
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, memoryview):
        return value.nbytes
    # What JSON is made of. Marshalling is several times as fast as dumping it, version 2 writes
    # every part in full, and no part in fewer bytes than a sixteenth of its JSON.
    return len(marshal.dumps(value, 2))


def literal_size(value: Any, *, hexadecimal: bool) -> int:
    """Return at most how many bytes a driver makes of a value that its field has prepared.

    PyMySQL writes binary data in *hexadecimal*, mysqlclient escapes it.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        doubled = 2 * len(data)
        return _FRAME + (
            doubled if hexadecimal else doubled - len(data.translate(None, _DOUBLED_IN_BYTES))
        )
    data = text_of(value).encode("utf-8", "surrogatepass")
    return _FRAME + 2 * len(data) - len(data.translate(None, _DOUBLED_IN_TEXT))


def own_size(value: Any) -> int:
    """Return how many bytes a prepared value has before anything is escaped."""
    if isinstance(value, bytes | bytearray | memoryview):
        return len(bytes(value))
    return len(text_of(value).encode("utf-8", "surrogatepass"))


def text_of(value: Any) -> str:
    """Return a value that is not binary as the drivers write it."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def parts_of(expression: Any) -> Iterable[Any]:
    """Return the parts of one of Django's expressions; a bare ``F`` is one itself."""
    return expression.flatten() if hasattr(expression, "flatten") else (expression,)


def most_that_fit(sizes: Iterable[int], limit: int) -> int:
    """Return the most *n* for which any *n* neighbours together stay within *limit*.

    Never less than 1: what is too large alone stays alone.
    """
    waiting: list[int] = []
    first = total = 0
    most: int | None = None
    for size in sizes:
        waiting.append(size)
        total += size
        while total > limit:
            run = len(waiting) - 1 - first
            most = run if most is None else min(most, run)
            total -= waiting[first]
            first += 1
    return max(len(waiting) if most is None else most, 1)
