"""Puts the lines of a log together to tracebacks and single messages, one process at a time."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.explain.dialects import FRAME, TRACEBACK, plain
from django_lifeline.diagnosis.explain.envelope import Line
from django_lifeline.diagnosis.explain.signs import Sign, sign_in
from django_lifeline.diagnosis.explain.stack import Frame

STREAMS = 512
"""Processes whose unfinished tracebacks are remembered at once; the longest silent is dropped."""

_FRAMES = 200
_FIRST_FRAMES = 60
_PARTS = 20
_STRAY = 12
_PAGE = 400
"""Lines that Django's error page, or mail, has between its headline and its traceback."""
_LINES = 5000
_STAMPS = 8
_HEADERS = 3
_HEADER_LENGTH = 300


@dataclass(slots=True)
class Part:
    """One exception of a chain."""

    frames: list[Frame] = field(default_factory=list)
    """Outermost first."""
    link: str = ""
    """How it follows the part before: ``cause``, ``during``, or empty."""
    kind: str = ""
    """Its class."""
    sign: Sign | None = None
    keyword: str = ""
    """The first word of the statement, where the text has one."""
    told: tuple[str, str] = ("", "")
    """The cause and its confidence, where this package's engine has noted them."""
    label: str = ""
    """What became of the work, by the engine's note: a `Label`'s value."""
    error_first: bool = False
    """Its error stood before its frames, as some pages, mails and tools print it."""


@dataclass(slots=True)
class Block:
    """A message with its traceback, or a message alone."""

    stream: str
    line: int
    level: str
    stamps: tuple[str, ...]
    """When the process wrote its latest records, this one's last."""
    success: str
    """When it last wrote of a success."""
    headers: tuple[str, ...]
    """The lines before it, which say what was being done."""
    parts: list[Part] = field(default_factory=list)
    grouped: bool = False
    indent: str = ""
    """What stands before each line of the traceback."""
    page: bool = False
    """Django's page about an error, as a mail or a file."""
    prefixed: bool = False
    lines: int = 0


class _State(Enum):
    FRAMES = "frames"
    AFTER = "after"
    EXPECT = "expect"


@dataclass(slots=True)
class _Stream:
    stamps: deque[str] = field(default_factory=lambda: deque(maxlen=_STAMPS))
    success: str = ""
    level: str = ""
    headers: deque[str] = field(default_factory=lambda: deque(maxlen=_HEADERS))
    block: Block | None = None
    state: _State = _State.AFTER
    link: str = ""
    stray: int = 0


_GROUP = re.compile(r"\s*\| ?(?P<body>.*)")
_GROUP_RULE = re.compile(r"\s*\+[-+ ]*(?:-|\d|\.\.\.)")
_LINKS = (
    ("cause", "The above exception was the direct cause of the following"),
    ("during", "During handling of the above exception"),
    ("during", "The above exception ("),  # Django's text pages; both kinds read alike there
)
_EXCEPTION = re.compile(r"(?P<kind>[A-Za-z_][\w.]*)(?::(?: |$)|$)")
_NOTE = re.compile(r"Cause: .{1,120}? \((?P<cause>\w+), (?P<confidence>\w+)\)")
_LABEL = re.compile(rf"The work: .*?\(({'|'.join(label.value for label in Label)})\)")
_KEYWORD = re.compile(r"(?:\[SQL: |statement=['\"]?)\s*([A-Za-z]{3,10})")
_OF_A_PAGE = re.compile(
    r"(?:Environment|Request Method|Request URL|Django Version|Installed Applications):?"
)
_SUCCESS = re.compile(r'succe|" 20\d |\(\d+\.\d{3}\) [A-Z]|completed')


class Assembler:
    """Feeds on lines, gives blocks that may be about a lost connection."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        self._current: dict[str, str] = {}

    @property
    def streams(self) -> int:
        """How many processes are known at the moment."""
        return len(self._streams)

    def feed(self, line: Line) -> Iterator[Block]:
        """Take a line; yield the blocks that ended with it."""
        key = self._key_of(line)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream()
            yield from self._evicted()
        else:
            self._streams.move_to_end(key)
        ended = self._begins_record(stream, line)
        if ended:
            yield ended
        if stream.block is not None:
            ended = _continue(stream, stream.block, line)
            if ended:
                yield ended
        if stream.block is None:
            _maybe_begin(stream, key, line)

    def finish(self) -> Iterator[Block]:
        """Yield the blocks that the end of the input left open."""
        for stream in self._streams.values():
            if stream.block is not None:
                yield stream.block
                stream.block = None

    def _key_of(self, line: Line) -> str:
        if line.head:
            key = f"{line.source}|{line.worker}"
            if len(self._current) > STREAMS:
                self._current.clear()
            self._current[line.source] = key
            return key
        return self._current.get(line.source) or f"{line.source}|"

    def _evicted(self) -> Iterator[Block]:
        if len(self._streams) > STREAMS:
            _, oldest = self._streams.popitem(last=False)
            if oldest.block is not None:
                yield oldest.block

    @staticmethod
    def _begins_record(stream: _Stream, line: Line) -> Block | None:
        if not line.head:
            if line.stamp and (not stream.stamps or stream.stamps[-1] != line.stamp):
                stream.stamps.append(line.stamp)
            return None
        block = stream.block
        if block is not None and _goes_on(stream, block, line):
            block.prefixed = True
            return None
        if line.stamp:
            stream.stamps.append(line.stamp)
        stream.level = line.level
        stream.headers.clear()
        stream.block = None
        return block


def _goes_on(stream: _Stream, block: Block, line: Line) -> bool:
    """Whether a line with a prefix is still the traceback before it, prefixed line by line."""
    body = line.body
    if stream.state is _State.FRAMES:
        piece = not body or body[0] in " \t" or FRAME.match(body) is not None
        return piece or (block.prefixed and _EXCEPTION.match(body) is not None)
    return block.prefixed and (not body.strip() or bool(_link(body)) or _is_traceback(body))


def _is_traceback(body: str) -> bool:
    return "Traceback" in body and TRACEBACK.search(body) is not None


def _link(body: str) -> str:
    return next((name for name, text in _LINKS if text in body), "")


def _maybe_begin(stream: _Stream, key: str, line: Line) -> None:
    body = plain(line.body)
    if _is_traceback(body):
        stream.block = _new_block(stream, key, line)
        stream.block.grouped = "Group Traceback" in body
        stream.block.indent = body[: len(body) - len(body.lstrip(" \t"))]
        _open_part(stream, stream.block)
    else:
        sign = sign_in(body, line.level or stream.level)
        if sign is not None:
            stream.block = _new_block(stream, key, line)
            stream.block.parts.append(Part(kind=sign.kind, sign=sign, keyword=_keyword(body)))
            stream.state = _State.AFTER
        elif _SUCCESS.search(body) and stream.stamps:
            stream.success = stream.stamps[-1]
    if body:
        stream.headers.append(body[:_HEADER_LENGTH])


def _new_block(stream: _Stream, key: str, line: Line) -> Block:
    stream.stray = 0
    stream.link = ""
    headers = (*stream.headers, line.body[:_HEADER_LENGTH])
    return Block(key, line.number, stream.level, tuple(stream.stamps), stream.success, headers)


def _open_part(stream: _Stream, block: Block) -> None:
    block.parts.append(Part(link=stream.link))
    if len(block.parts) > _PARTS:
        del block.parts[_PARTS // 2]
    stream.state = _State.FRAMES
    stream.link = ""
    stream.stray = 0


def _continue(stream: _Stream, block: Block, line: Line) -> Block | None:
    """Take a line into the open block; return the block if the line ended it."""
    block.lines += 1
    if block.lines > _LINES:
        return _end(stream)
    body = plain(line.body.removeprefix(block.indent))
    if block.grouped:
        if _GROUP_RULE.match(body) and not _is_traceback(body):
            stream.state = _State.EXPECT
            return None
        inner = _GROUP.match(body)
        body = inner["body"] if inner else body
    link = _link(body)
    if link:
        if block.page and block.parts[-1].frames and block.parts[-1].sign is None:
            block.parts[-1].sign = sign_in(body, stream.level)  # only said between the two
        stream.link, stream.state, stream.stray = link, _State.EXPECT, 0
        return None
    if _is_traceback(body):
        return _next_traceback(stream, block)
    frame = FRAME.match(body)
    if frame:
        _take_frame(stream, block, Frame(frame["path"].replace("\\", "/"), frame["name"].strip()))
        return None
    if stream.state is _State.FRAMES:
        return _among_frames(stream, block, line, body)
    return _after_exception(stream, block, line, body)


def _next_traceback(stream: _Stream, block: Block) -> Block | None:
    alone = not block.parts[-1].frames  # a message that announces its traceback
    if stream.state is _State.EXPECT or block.grouped or alone:
        _open_part(stream, block)
        return None
    return _end(stream)


def _take_frame(stream: _Stream, block: Block, frame: Frame) -> None:
    if block.page and stream.state is _State.EXPECT and stream.link:
        _open_part(stream, block)  # such a page begins the next traceback without its headline
    part = block.parts[-1]
    if stream.state is not _State.FRAMES and not part.frames:
        part.error_first = True
    part.frames.append(frame)
    if len(part.frames) > _FRAMES:
        del part.frames[_FIRST_FRAMES]
    stream.stray = 0


def _among_frames(stream: _Stream, block: Block, line: Line, body: str) -> Block | None:
    if not body.strip() or body[0] in " \t":
        return None  # code, and the marks under it
    part = block.parts[-1]
    found = _EXCEPTION.match(body)
    sign = sign_in(body, stream.level)
    if part.frames and (found or sign):  # without its class where a page says "Exception Value"
        part.kind = found["kind"] if found else ""
        part.sign = sign
        part.keyword = _keyword(body)
        stream.state, stream.stray = _State.AFTER, 0
        return None
    stream.stray += 1
    return _end(stream) if stream.stray > _STRAY else None


def _after_exception(stream: _Stream, block: Block, line: Line, body: str) -> Block | None:
    part = block.parts[-1]
    if part.error_first and body[:1] in (" ", "\t"):
        return None
    block.page = block.page or _OF_A_PAGE.match(body) is not None
    part.keyword = part.keyword or _keyword(body)
    note = _NOTE.match(body)
    if note:
        part.told = note["cause"], note["confidence"]
    label = _LABEL.match(body)
    if label:
        part.label = label[1]
    sign = sign_in(body, stream.level)
    if sign is not None and part.sign is None:
        part.sign = sign  # the message had several lines
    elif sign is not None and sign.certain and not line.head and body[:1] not in (" ", "\t"):
        if _wraps(part, sign):
            block.parts.append(Part(link="cause", kind=sign.kind, sign=sign, error_first=True))
            return None
        return _end(stream)  # another message, without a prefix to tell where it begins
    stream.stray += 1
    patience = _PAGE if block.page and not part.frames else _STRAY
    return _end(stream) if stream.stray > patience else None


def _wraps(part: Part, sign: Sign) -> bool:
    """Whether an error is the one before once more, as Sentry prints the driver's and Django's."""
    same = part.sign is not None and part.sign.code == sign.code
    return same and part.error_first and bool(part.frames)


def _end(stream: _Stream) -> Block | None:
    block, stream.block = stream.block, None
    return block


def _keyword(body: str) -> str:
    found = _KEYWORD.search(body)
    return found[1].upper() if found else ""
