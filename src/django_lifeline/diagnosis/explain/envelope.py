"""What is wrapped round a line of a log: time, level, process, container, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from django_lifeline.diagnosis.explain import records, stamps


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
    """,
    re.VERBOSE,
)
# Docker's own time; MariaDB and MySQL write the same, and go on with a number and a bracket.
_DOCKER_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6,9}Z)(?: (?!\d+ \[)|$)")
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
        record = records.read(line.body)
        if record is not None:
            yield from _of_record(line, record)
            return
    _take_prefix(line)
    if "\\n" in line.body or "#012" in line.body:
        yield from _split(line)
    else:
        yield line


def _take_carrier(line: Line) -> bool:
    found = _CARRIER.match(line.body)
    if not found or _only_looks_so(found):
        return _take_docker_time(line)
    sender = found["container"] or ""
    if found["tag"]:
        sender = f"{found['tag']}[{found['pid'] or ''}]"
    if sender:
        line.source = f"{line.source}/{sender}" if line.source else sender
    line.stamp = found["cri"] or found["time"] or line.stamp
    line.body = line.body[found.end() :]
    return True


def _only_looks_so(found: re.Match[str]) -> bool:
    """Whether what looks like syslog's name of a program is a level, or an exception's class."""
    nameless = not found["host"] and not found["pid"]
    return bool(found["time"]) and (found["tag"] in _NO_TAGS or nameless)


def _take_docker_time(line: Line) -> bool:
    found = _DOCKER_TIME.match(line.body)
    if not found:
        return False
    line.stamp = found[1]
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


def _of_record(line: Line, record: Mapping[str, object]) -> Iterator[Line]:
    """Yield the lines of a JSON record: one that was delivered so, or a logger's own."""
    carried = records.carried(record)
    if carried is not None:
        body, stamp, source = carried
        inner = replace(line, body=body, stamp=stamp or line.stamp, source=source or line.source)
        _take_prefix(inner)
        yield inner
        return
    line.head = True
    line.stamp = records.stamp(record) or line.stamp
    line.level = records.level(record)
    sender = records.sender(record)
    line.source = f"{line.source}/{sender}" if sender else line.source
    line.worker = records.worker(record)
    first, *others = records.text(record).split("\n", _MAX_PARTS)
    yield replace(line, body=first)
    for text in others:
        yield replace(line, body=text, head=False)
