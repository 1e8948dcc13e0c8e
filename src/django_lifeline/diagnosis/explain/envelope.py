"""What is wrapped round a line of a log: time, level, process, container, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from django_lifeline.diagnosis.explain import stamps


@dataclass(slots=True)
class Line:
    """One line without its wrapping."""

    number: int
    """Its place in the input, from 1."""
    body: str
    """The text, with the indentation that its writer gave it."""
    source: str = ""
    """Who delivered it: the container, or the host's service and its process id."""
    worker: str = ""
    """The process or thread that the logger's own prefix names."""
    stamp: str = ""
    """The time as written; see `stamps`."""
    level: str = ""
    head: bool = False
    """It begins a record: it has a time, a level or a process of its own."""


_STAMP_VERBOSE = stamps.PATTERN.replace(" ", r"\ ")
_LEVELS = "DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL"

# What wraps every physical line; what follows it, indentation included, is somebody else's.
_CARRIER = re.compile(
    rf"""
    (?P<container>[A-Za-z0-9][\w.-]{{0,80}})[ ]{{1,40}}\|(?:[ ]|$)
    | (?P<cri>\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))[ ](?:stdout|stderr)[ ][FP][ ]
    | (?:<\d{{1,3}}>(?:\d[ ])?)?
      (?P<time>{_STAMP_VERBOSE})[ ](?:(?P<host>[\w.:-]{{1,80}})[ ])?
      (?P<tag>[\w./@()-]{{1,80}})(?:\[(?P<pid>[\w.]{{1,20}})\])?:(?:[ ]|$)
    | (?P<docker>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6,9}}Z)[ ](?!\d+[ ]\[)
    """,
    re.VERBOSE,
)
_PROCESS_AND_THREAD = r"[\w.]{1,60}[ ]\d{2,7}[ ]\d{6,20}(?=[ ])"  # after Django's {module}
_SEPARATOR = r"(?:[:,|-](?=\s))?"
# What a logger writes once for each record.
_PREFIX = re.compile(
    rf"""
    (?: (?: \[(?!SQL|param|Errno|generated|WinError)[^\]\n]{{1,80}}\]
          | [\[(]?{_STAMP_VERBOSE}[\])]?
          | \((?:Thread|Main|Fork|Spawn|Dummy|Pool)[\w-]{{1,40}}\)
          | (?:{_LEVELS})\b(?!:\w|[ ]\d{{4}}[ ]\()  # "ERROR 2013 (HY000)" is what clients print
          | (?:pid|PID|process|thread)[=:][ ]?[\w-]{{1,40}}
          | (?:Thread|MainThread|ThreadPoolExecutor|ForkPoolWorker|Dummy|Process)
            (?:-[\w]{{1,20}})?(?=[ ]*[:|])
          | {_PROCESS_AND_THREAD}
        ){_SEPARATOR}(?:[ ](?=[\[(A-Z\d|p]|{_PROCESS_AND_THREAD})(?![A-Z][a-z]+[ ]\(most))*
    )*+
    """,
    re.VERBOSE,
)
_PYTHON_DEFAULT = re.compile(rf"(?P<level>{_LEVELS}):[\w.]+:")
_LEVEL = re.compile(rf"(?:{_LEVELS})\b")
_STAMP = re.compile(stamps.PATTERN)
_WORKER = re.compile(
    r"\[pid: (\d+)|(?:pid|PID|process|thread)[=:] ?([\w-]+)|\[(\d{1,8})\]"
    r"|((?:ThreadPoolExecutor-\d+_\d+|(?:Thread|Dummy|ForkPoolWorker|Process|SpawnProcess)-\d+"
    r"|MainProcess|MainThread))|(?:[\w.]+) (\d{2,7}) (\d{6,20})"
)
_ESCAPED_END = re.compile(r"\\n|#012")
_MAX_PARTS = 2000


def unwrapped(number: int, text: str) -> Iterator[Line]:
    """Yield the line, or the lines if the text holds several, as JSON records do."""
    if text[:1] in (" ", "\t"):  # the greater part of a traceback: nothing is wrapped round it
        yield Line(number, text)
        return
    line = Line(number, text)
    for _ in range(2):  # a container's line may hold syslog's
        if not _take_carrier(line):
            break
    if line.body[:1] == "{" and line.body[-1:] == "}":
        record = _json(line.body)
        if record is not None:
            yield from _from_json(line, record)
            return
    _take_prefix(line)
    if "\\n" in line.body or "#012" in line.body:
        yield from _split(line)
    else:
        yield line


def _take_carrier(line: Line) -> bool:
    found = _CARRIER.match(line.body)
    if not found:
        return False
    if found["time"] and (found["tag"] in _NO_TAGS or not found["host"] and not found["pid"]):
        return False
    sender = found["container"] or ""
    if found["tag"]:
        sender = f"{found['tag']}[{found['pid'] or ''}]"
    if sender:
        line.source = f"{line.source}/{sender}" if line.source else sender
    line.stamp = found["cri"] or found["time"] or found["docker"] or line.stamp
    line.body = line.body[found.end() :]
    return True


_NO_TAGS = frozenset(_LEVELS.split("|"))


def _take_prefix(line: Line) -> None:
    found = _PREFIX.match(line.body)
    prefix = found[0] if found else ""
    if not prefix:
        plain = _PYTHON_DEFAULT.match(line.body)
        if plain:
            line.level, line.head = plain["level"], True
        return
    stamp = _STAMP.search(prefix)
    level, worker = _level_and_worker(prefix.replace(stamp[0], "", 1) if stamp else prefix)
    if not (stamp or level or worker):
        return
    line.head = True
    line.stamp = stamp[0] if stamp else line.stamp
    line.level, line.worker = level, worker
    line.body = line.body[len(prefix) :].removeprefix(" ")


@lru_cache(maxsize=4096)
def _level_and_worker(prefix: str) -> tuple[str, str]:
    """Read what a prefix says beside the time; the same few prefixes come all the time."""
    level = _LEVEL.search(prefix)
    worker = _WORKER.search(prefix)
    named = "/".join(part for part in worker.groups() if part) if worker else ""
    return level[0] if level else "", named


def _split(line: Line) -> Iterator[Line]:
    """Yield the lines of a record whose line ends were escaped, as syslog and repr() do."""
    if "Traceback (most recent" not in line.body:
        yield line
        return
    first, *others = _ESCAPED_END.split(line.body, maxsplit=_MAX_PARTS)
    yield replace(line, body=first)
    for text in others:
        yield replace(line, body=text, head=False)


# --- JSON records ----------------------------------------------------------------------------

_TIME_KEYS = ("timestamp", "time", "asctime", "@timestamp", "ts", "datetime")
_LEVEL_KEYS = ("level", "levelname", "severity", "log.level", "lvl")
_TEXT_KEYS = ("message", "msg", "event", "log", "MESSAGE", "textPayload")
_TRACE_KEYS = (
    *("exc_info", "exc_text", "exception", "traceback", "stack_trace", "stacktrace"),
    *("error.stack_trace", "exc", "stack"),
)
_WORKER_KEYS = ("process", "pid", "_PID", "thread", "threadName", "thread_name", "task_id")
_CARRIER_KEYS = ("container_name", "pod", "hostname", "host")


def _json(text: str) -> Mapping[str, object] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _from_json(line: Line, record: Mapping[str, object]) -> Iterator[Line]:
    if set(record) >= {"log", "stream"}:  # docker's own file: any line may be inside
        inner = replace(line, body=str(record["log"]).rstrip("\r\n"))
        inner.stamp = _first(record, _TIME_KEYS) or line.stamp
        _take_prefix(inner)
        yield inner
        return
    line.head = True
    line.stamp = _time(record) or line.stamp
    line.level = _first(record, _LEVEL_KEYS).upper()
    sender = _first(record, _CARRIER_KEYS)
    line.source = f"{line.source}/{sender}" if sender else line.source
    workers = (_scalar(record.get(key)) for key in _WORKER_KEYS)
    line.worker = "/".join(worker for worker in workers if worker)[:80]
    texts = [_first(record, _TEXT_KEYS), *_traces(record)]
    first, *others = "\n".join(text for text in texts if text).split("\n", _MAX_PARTS)
    yield replace(line, body=first)
    for text in others:
        yield replace(line, body=text, head=False)


def _time(record: Mapping[str, object]) -> str:
    for key in _TIME_KEYS:
        value = record.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f"@{value}"
    return _first(record, _TIME_KEYS)


def _traces(record: Mapping[str, object]) -> Iterator[str]:
    error = record.get("error")
    nested = error if isinstance(error, dict) else {}
    for key in _TRACE_KEYS:
        value = record.get(key, nested.get(key))
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _structured(value)


def _structured(parts: list[object]) -> Iterator[str]:
    """Yield tracebacks as text where they are lists of objects, as structlog writes them."""
    if parts and all(isinstance(part, str) for part in parts):
        yield "".join(cast(list[str], parts))
        return
    for part in parts[::-1]:  # the outermost comes first there
        if not isinstance(part, dict):
            continue
        yield "Traceback (most recent call last):"
        frames = part.get("frames")
        for frame in frames if isinstance(frames, list) else ():
            if isinstance(frame, dict):
                file, name = frame.get("filename"), frame.get("name")
                yield f'  File "{file}", line {frame.get("lineno")}, in {name}'
        yield f"{part.get('exc_type')}: {part.get('exc_value')}"
        yield "\nThe above exception was the direct cause of the following exception:\n"


def _first(record: Mapping[str, object], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _scalar(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
