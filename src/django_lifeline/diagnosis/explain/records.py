"""JSON in logs: records of loggers and of those who deliver them, and Sentry's events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

_TIMES = ("timestamp", "time", "asctime", "@timestamp", "ts", "datetime", "timeUnixNano")
_LEVELS = ("level", "levelname", "severity", "log.level", "lvl", "severity_text", "severityText")
_TEXTS = ("message", "msg", "event", "log", "MESSAGE", "textPayload", "body")
_TRACES = (
    *("exc_info", "exc_text", "exception", "traceback", "stack_trace", "stacktrace"),
    *("error.stack_trace", "exc", "stack", "error_detail", "exception.stacktrace"),
)
_WORKERS = ("process", "pid", "_PID", "thread", "threadName", "thread_name", "task_id")
_CARRIERS = ("container_name", "pod", "hostname", "host")
_NESTED = ("jsonPayload", "attributes", "error", "kubernetes", "record", "extra")
"""Objects inside a record that have more of the same, by Google, OpenTelemetry, Elastic, loguru."""

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n"

LONGEST_DOCUMENT = 20_000
"""Lines of a JSON document that are put together."""
_CLOSINGS = ("}", "]", "},")


def documents(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; a JSON document that is set over many lines as one.

    Such as Sentry's events, and what ``jq`` prints.
    """
    held: list[str] = []
    number = 0
    for number, text in enumerate(lines, start=1):
        if not held and text.rstrip() not in ("{", "["):
            yield number, text
            continue
        held.append(text)
        if text.rstrip() in _CLOSINGS or len(held) > LONGEST_DOCUMENT:
            yield from _together(number, held)
            held = []
    yield from _apart(held, number - len(held) + 1)


def _together(last: int, held: list[str]) -> Iterator[tuple[int, str]]:
    first = last - len(held) + 1
    try:
        document = json.loads("".join(held).rstrip(","))
    except (ValueError, RecursionError):
        yield from _apart(held, first)
        return
    for part in document if isinstance(document, list) else [document]:
        yield first, json.dumps(part)


def _apart(held: list[str], first: int) -> Iterator[tuple[int, str]]:
    yield from enumerate(held, start=first)


def read(text: str) -> Mapping[str, object] | None:
    """Return the object that *text* is, if it is one."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def carried(record: Mapping[str, object]) -> tuple[str, str, str] | None:
    """Return line, time and source where *record* carries one physical line of somebody's output.

    Docker's own files and those of its log shippers do, and ``journalctl -o json``.
    """
    if set(record) >= {"log", "stream"}:
        return str(record["log"]).rstrip("\r\n"), _first(record, _TIMES), ""
    if set(record) >= {"MESSAGE", "__REALTIME_TIMESTAMP"}:
        micros = str(record["__REALTIME_TIMESTAMP"])
        source = f"{_scalar(record.get('SYSLOG_IDENTIFIER'))}[{_scalar(record.get('_PID'))}]"
        return str(record["MESSAGE"]), f"@{micros}" if micros.isdigit() else "", source
    return None


def stamp(record: Mapping[str, object]) -> str:
    """Return the time as it is written; seconds since 1970 begin with ``@``."""
    for name in _TIMES:
        value = record.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f"@{value}"
    return _first(record, _TIMES)


def level(record: Mapping[str, object]) -> str:
    """Return the record's level, in capitals."""
    return _first(record, _LEVELS).upper()


def sender(record: Mapping[str, object]) -> str:
    """Return who delivered it."""
    return _first(record, _CARRIERS)


def worker(record: Mapping[str, object]) -> str:
    """Return the process or thread that wrote it."""
    named = (_scalar(record.get(name)) for name in _WORKERS)
    return "/".join(name for name in named if name)[:80]


def text(record: Mapping[str, object]) -> str:
    """Return the message with its traceback, as a logger would have printed them."""
    places = [record, *_nested(record)]
    message = next((found for place in places if (found := _first(place, _TEXTS))), "")
    traces = [trace for place in places for trace in _traces(place)]
    # A value may hold the traceback that the message ends with already.
    return "\n".join(part for part in (message, *dict.fromkeys(traces)) if part)


def _nested(record: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for name in _NESTED:
        inner = record.get(name)
        if isinstance(inner, dict):
            yield inner


def _traces(record: Mapping[str, object]) -> Iterator[str]:
    for name in _TRACES:
        value = record.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield "\n".join(_of_structlog(value))
        elif isinstance(value, dict) and isinstance(value.get("values"), list):
            yield "\n".join(_of_sentry(value["values"]))


def _of_structlog(parts: list[object]) -> Iterator[str]:
    """Yield tracebacks as text where they are lists of objects, as structlog writes them."""
    if parts and all(isinstance(part, str) for part in parts):
        yield "".join(cast(list[str], parts))
        return
    for part in parts[::-1]:  # the outermost comes first there
        if isinstance(part, dict):
            error = f"{part.get('exc_type')}: {part.get('exc_value')}"
            yield from _traceback(part.get("frames"), "name", error)


def _of_sentry(values: list[object]) -> Iterator[str]:
    for value in values:  # the innermost comes first there
        if isinstance(value, dict):
            trace = value.get("stacktrace")
            module = f"{value['module']}." if value.get("module") else ""
            error = f"{module}{value.get('type')}: {value.get('value')}"
            frames = trace.get("frames") if isinstance(trace, dict) else None
            yield from _traceback(frames, "function", error)


def _traceback(frames: object, function: str, error: str) -> Iterator[str]:
    yield "Traceback (most recent call last):"
    for frame in frames if isinstance(frames, list) else ():
        if isinstance(frame, dict):
            file = frame.get("abs_path") or frame.get("filename")
            yield f'  File "{file}", line {frame.get("lineno")}, in {frame.get(function)}'
    yield error
    yield _CAUSE


def _first(record: Mapping[str, object], names: tuple[str, ...]) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _scalar(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
