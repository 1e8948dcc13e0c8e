"""One lost connection, as far as a log tells of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django_lifeline.core.effects import first_keyword
from django_lifeline.diagnosis.explain import stamps
from django_lifeline.diagnosis.explain.blocks import Block, Part
from django_lifeline.diagnosis.explain.signs import AT_THE_DOOR, Sign
from django_lifeline.diagnosis.explain.stack import Context, Frame, Place, Step, place_of

CLOSE_BY = 10.0
"""Seconds that count as the same moment: records written this close belong together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The facts of one loss. Times are seconds since 1970, spans are seconds."""

    sign: Sign
    driver: str = ""
    place: Place = Place()
    keyword: str = ""
    """The statement's first word."""
    interrupted_by: str = ""
    """The class of an exception that broke into the query: a time limit, a killed greenlet."""
    forked: bool = False
    """It was in a child of a pool of processes, as its log's prefix says."""
    large: bool = False
    """The names of the code or the job speak of what is large: files, imports, attachments."""
    told: tuple[str, str] = ("", "")
    """The cause that this package's engine noted on the error, and how far it was decided."""
    label: str = ""
    """What became of the work, by that note: a `Label`'s value."""
    job: str = ""
    """The name of the task or job."""
    line: int = 0
    time: float | None = None
    zoned: bool = False
    stream: str = ""
    pause: float | None = None
    """How long its process had written nothing before."""
    since_success: float | None = None


_DRIVERS = (
    ("mysqlclient", re.compile(r"MySQLdb|_mysql_exceptions|_mysql\.")),
    ("PyMySQL", re.compile(r"pymysql")),
    ("mysql-connector", re.compile(r"mysql[./]connector")),
    ("aiomysql", re.compile(r"aiomysql")),
    ("asyncmy", re.compile(r"asyncmy")),
)
_INTERRUPTS = re.compile(
    r"^(?:[\w.]*\.)?(SoftTimeLimitExceeded|TimeLimitExceeded|GreenletExit|KeyboardInterrupt"
    r"|CancelledError|WorkerShutdown|WorkerTimeout|SystemExit|gevent\.timeout\.Timeout"
    r"|Timeout|LoopExit|TaskRevokedError|JobTimeoutException|JobLookupError)$"
)
_JOBS = re.compile(
    r"Task ([\w.]{1,100})\[|Job \"([\w.]{1,100})[ (\"]|Exception in thread ([\w-]{1,60})"
)
_HEADER_CONTEXTS = (
    (Context.CELERY, re.compile(r"celery|ForkPoolWorker|Task [\w.]+\[")),
    (Context.APSCHEDULER, re.compile(r"apscheduler|Job \"[^\"]+\" raised")),
    (Context.HEALTH, re.compile(r"/(?:healthz?|readyz?|livez|ping|status)/?(?:\s|$)")),
    (
        Context.WEB,
        re.compile(
            r"django\.request|Internal Server Error|Error handling request|ASGI application"
            r"|\"(?:GET|POST|PUT|PATCH|DELETE|HEAD) /"
        ),
    ),
    (Context.THREAD, re.compile(r"Exception in thread ")),
    (Context.PROCESS, re.compile(r"^Process [\w-]+:")),
    (Context.GEVENT, re.compile(r"[Gg]reenlet")),
    (Context.TEST, re.compile(r"^test\w* \([\w.]+\)|^E   ")),  # unittest, pytest
    (Context.SHELL, re.compile(r"^(?:>>>|In \[\d+\]:)")),
)
_STEPS_BY_KEYWORD = {"SELECT": Step.READ, "SHOW": Step.READ, "COMMIT": Step.COMMIT}
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"})


def loss_in(block: Block, outer: Sequence[Frame] = ()) -> Loss | None:
    """Return the loss that *block* tells of, ``None`` where it tells of something else.

    *outer* are frames round those of the text, outermost first, where they are known.
    """
    for part in block.parts:
        if part.error_first and _inside_out(part.frames):
            part.frames.reverse()
        part.error_first = False
    place_in_chain = next((i for i, p in enumerate(block.parts) if p.sign is not None), None)
    if place_in_chain is None:
        return None
    first = block.parts[place_in_chain]
    sign = _strongest(block.parts[place_in_chain:], first)
    failing = _failing_frames(block.parts, place_in_chain)
    everything = [*outer, *(frame for part in block.parts for frame in part.frames)]
    keyword = next((p.keyword for p in block.parts if p.keyword), "")
    place = _place(failing, everything, block.headers, keyword)
    if sign.code in AT_THE_DOOR and failing and place.step is not Step.CONNECT:
        return None
    time, zoned = _time(block.stamps)
    return Loss(
        sign=sign,
        driver=_driver(block.parts, sign.kind),
        place=place,
        keyword=first_keyword(keyword) if keyword else "",
        interrupted_by=_interrupt(block.parts),
        forked=_in_a_forked_child(block),
        large=_speaks_of_large_things(place, _job(block.headers)),
        told=next((p.told for p in block.parts if p.told[0]), ("", "")),
        label=next((p.label for p in block.parts if p.label), ""),
        job=_job(block.headers),
        line=block.line,
        time=time,
        zoned=zoned,
        stream=block.stream,
        pause=_pause(block.stamps),
        since_success=_since(block.success, time),
    )


def _inside_out(frames: Sequence[Frame]) -> bool:
    """Whether the innermost frame comes first: so it is unless a driver's frame is the last."""
    return bool(frames) and _INNERMOST.search(frames[-1].path) is None


_INNERMOST = re.compile(r"MySQLdb|pymysql|mysql/connector|django/db/|sqlalchemy")


def _strongest(parts: Sequence[Part], first: Part) -> Sign:
    """Return the first error's sign, with the class's module and details from its repetitions."""
    assert first.sign is not None
    same = [p.sign for p in parts if p.sign is not None and p.sign.code == first.sign.code]
    details = frozenset().union(*(sign.details for sign in same))
    kind = next((s.kind for s in same if "." in s.kind), first.sign.kind)
    certain = any(sign.certain for sign in same)
    return replace(first.sign, kind=kind, details=details, certain=certain)


def _failing_frames(parts: Sequence[Part], start: int) -> list[Frame]:
    """The frames of the first error: its own, and those of Django's wrapping of it."""
    first = parts[start]
    assert first.sign is not None
    frames = list(first.frames)
    for part in parts[start + 1 :]:
        if part.sign is None and not part.kind and not frames:
            frames = part.frames  # the error was named before its traceback, not after it
        wraps = part.sign is not None and part.sign.code == first.sign.code
        # A rollback that fails in turn is another statement, though its number is the same.
        cleaning_up = bool(part.frames) and part.frames[-1].function in _CLEANING_UP
        if wraps and (part.link == "cause" or cleaning_up or not first.frames):
            frames = [*part.frames, *frames]
    return frames


# Closing the cursor of a query that failed fails as well, and shows the way to the query.
_CLEANING_UP = ("close", "_discard", "nextset")


def _place(
    failing: Sequence[Frame], everything: Sequence[Frame], headers: Sequence[str], keyword: str
) -> Place:
    place = place_of(tuple(failing), tuple(everything))
    if not place.contexts:
        found = [c for c, pattern in _HEADER_CONTEXTS if any(map(pattern.search, headers))]
        place = replace(place, contexts=frozenset(found))
    if place.step is Step.STATEMENT and keyword:
        step = Step.WRITE if keyword in _WRITES else _STEPS_BY_KEYWORD.get(keyword)
        place = replace(place, step=step or place.step)
    return place


def _driver(parts: Sequence[Part], kind: str) -> str:
    names = " ".join([kind, *(p.kind for p in parts)])
    paths = " ".join(frame.path for part in parts for frame in part.frames[-4:])
    for text in (names, paths):
        for name, pattern in _DRIVERS:
            if pattern.search(text):
                return name
    return ""


def _interrupt(parts: Sequence[Part]) -> str:
    for part in parts:
        found = _INTERRUPTS.match(part.kind)
        if found:
            return found[1]
    return ""


_FORKED = re.compile(r"ForkPoolWorker-|ForkProcess-|\bPoolWorker-\d|\bProcess-\d+:\d")


_RUNS_FORKS = re.compile(r"/rq/worker\.py|/django_q/worker\.py|/billiard/")


def _in_a_forked_child(block: Block) -> bool:
    paths = (frame.path for part in block.parts for frame in part.frames)
    named = any(_FORKED.search(text) for text in (block.stream, *block.headers))
    return named or any(_RUNS_FORKS.search(path) for path in paths)


_LARGE = re.compile(
    r"attach|upload|blob|binary|import|bulk|document|image|photo|picture|pdf|file|pickle|payload"
    r"|snapshot|dump|fixture|archive|thumb|backup|migrat|load_|_load",
    re.IGNORECASE,
)
_PY = re.compile(r"\.pyx?\b")


def _speaks_of_large_things(place: Place, job: str) -> bool:
    return _LARGE.search(_PY.sub("", f"{place.code} {job}")) is not None


def _job(headers: Sequence[str]) -> str:
    for header in reversed(headers):
        found = _JOBS.search(header)
        if found:
            return next(name for name in found.groups() if name)
    return ""


def _time(written: Sequence[str]) -> tuple[float | None, bool]:
    if not written:
        return None, False
    last = written[-1]
    if last.startswith("@"):
        return _epoch(last), True
    return stamps.seconds_of(last), stamps.has_zone(last)


def _seconds(stamp: str) -> float | None:
    return _epoch(stamp) if stamp.startswith("@") else stamps.seconds_of(stamp)


def _epoch(stamp: str) -> float | None:
    seconds = float(stamp[1:])
    while abs(seconds) > 1e11:  # milliseconds or finer
        seconds /= 1000
    return seconds if seconds == seconds else None


def _pause(written: Sequence[str]) -> float | None:
    """Return the silence before the records that belong to this moment."""
    times = [time for time in map(_seconds, written) if time is not None]
    for later, earlier in zip(times[::-1], times[-2::-1], strict=False):
        if later - earlier > CLOSE_BY:
            return later - earlier
    return max(0.0, times[-1] - times[0]) if len(times) > 1 else None


def _since(success: str, time: float | None) -> float | None:
    then = _seconds(success) if success else None
    return None if then is None or time is None else max(0.0, time - then)
