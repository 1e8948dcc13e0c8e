"""Lines of a file, a pipe or a compressed file: bounded memory, whatever is in it."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO, cast

from django_lifeline.diagnosis.text import N_
from django_lifeline.diagnosis.usage import UsageError

LINE_LIMIT = 65536
"""Characters of a line that are looked at; the rest is skipped."""

_GZIP = b"\x1f\x8b"
_BAR = 30
_EVERY = 20000


class Peekable(Protocol):
    """A buffered binary stream."""

    def peek(self, size: int = 0, /) -> bytes:
        """Return the next bytes without taking them."""


def opened(name: str) -> AbstractContextManager[BinaryIO]:
    """Open a file by name, or standard input for ``-``."""
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return cast(AbstractContextManager[BinaryIO], Path(name).open("rb"))
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from None


def lines_of(raw: BinaryIO, warn: Callable[[str], None] = lambda text: None) -> Iterator[str]:
    """Yield the lines of *raw*, decoded, cut at `LINE_LIMIT`, without their line ends.

    What is compressed is unpacked. Bytes that are no text become replacement characters. A
    compressed file that is damaged ends early, and *warn* is told so.
    """
    start = cast(Peekable, raw).peek(4)[:4]
    if start[:2] == _GZIP:
        raw = cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=raw))))
        start = b""
    text = io.TextIOWrapper(raw, encoding=_encoding(start), errors="replace", newline=None)
    try:
        yield from _bounded(text)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        warn(N_("The compressed file is damaged; what came before that was read."))
    finally:
        text.detach()


def _encoding(start: bytes) -> str:
    # What Windows tools write; everything else is read as UTF-8.
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _bounded(text: TextIO) -> Iterator[str]:
    while line := text.readline(LINE_LIMIT):
        ended = line.endswith("\n")
        yield line[:-1] if ended else line
        while not ended:
            rest = text.readline(LINE_LIMIT)
            ended = not rest or rest.endswith("\n")


class Progress:
    """A bar on a terminal, for input whose size is known; silent otherwise."""

    def __init__(self, raw: BinaryIO, terminal: TextIO = sys.stderr) -> None:
        self._raw = raw
        self._terminal = terminal
        self._size = _size_of(raw) if terminal.isatty() else 0

    def over(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield *lines*, drawing now and then."""
        if not self._size:
            yield from lines
            return
        for number, line in enumerate(lines):
            if number % _EVERY == 0:
                self._draw()
            yield line
        print("\r\x1b[K", end="", file=self._terminal, flush=True)

    def _draw(self) -> None:
        share = min(1.0, self._raw.tell() / self._size)
        full = round(share * _BAR)
        bar = "█" * full + "░" * (_BAR - full)
        print(f"\r{bar} {share:4.0%}", end="", file=self._terminal, flush=True)


def _size_of(raw: BinaryIO) -> int:
    try:
        return os.fstat(raw.fileno()).st_size if raw.seekable() else 0
    except (OSError, ValueError):
        return 0
