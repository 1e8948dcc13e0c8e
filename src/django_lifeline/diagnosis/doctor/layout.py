"""How many processes, threads and greenlets use the database, from flags or configuration files."""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django_lifeline.diagnosis.doctor.facts import Layout, Service
from django_lifeline.diagnosis.doctor.literals import assignments
from django_lifeline.diagnosis.saying import Said, say
from django_lifeline.diagnosis.text import N_
from django_lifeline.diagnosis.usage import UsageError

HUBS = ("gevent", "eventlet")
GUNICORN_CONNECTIONS = 1000
"""``worker_connections`` where the file says nothing."""
ASGI = ("uvicorn", "asgi", "hypercorn")
_TRUE = ("1", "true", "yes", "on")


def layout(
    services: list[Service], processes: int | None, threads: int | None, greenlets: int | None
) -> tuple[Service, ...]:
    """Return the services of the files, and one more where the command line counts processes."""
    given = (processes, threads, greenlets)
    if all(number is None for number in given):
        return tuple(services)
    counted = Service(
        processes=processes or 1,
        threads=threads or 1,
        greenlets=greenlets or 0,
        hub="gevent" if greenlets else "",
    )
    return (*services, counted)


def make_layout(services: tuple[Service, ...], instances: int) -> Layout | None:
    """Return the layout, or None where nothing is known of it."""
    return Layout(services=services, instances=instances) if services else None


def read_config(path: Path) -> Service:
    """Read a gunicorn, Celery or uWSGI configuration; `UsageError` for anything else.

    A Python file is not run: its simple assignments are read, and `Service.unread` names the rest.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: it cannot be read ({error}).") from None
    if path.suffix == ".py":
        return _python(path, text)
    if path.suffix in (".ini", ".cfg", ".conf"):
        return _uwsgi(path, text)
    raise UsageError(
        f"--config {path}: give a gunicorn or Celery file (.py) or a uWSGI file (.ini), or count "
        "with --processes, --threads and --greenlets."
    )


def not_read(name: str, why: Said) -> Said:
    """Return what is said of a setting that could not be read."""
    return say(N_("{where}: {what}"), where=name, what=why)


@dataclass
class _Reader:
    """One file's values; each that is needed and could not be read is noted."""

    source: str
    values: Mapping[str, Any]
    why_not: Mapping[str, Said]
    unread: list[Said]

    def find(self, names: tuple[str, ...], default: Any, read: Callable[[Any], Any]) -> Any:
        for name in names:
            if name in self.why_not:
                self.unread.append(not_read(name, self.why_not[name]))
            elif self.values.get(name) is not None:
                try:
                    return read(self.values[name])
                except (TypeError, ValueError):
                    # The value may be anybody's secret, read from the environment.
                    self.unread.append(not_read(name, say(N_("its value does not fit"))))
        return default

    def number(self, *names: str, default: int) -> int:
        found = self.find(names, default, int)
        return max(int(found), 0)

    def text(self, *names: str, default: str = "") -> str:
        return str(self.find(names, default, str))

    def flag(self, *names: str) -> bool:
        return bool(self.find(names, False, _as_flag))


def _as_flag(value: Any) -> bool:
    return value.strip().lower() in _TRUE if isinstance(value, str) else bool(value)


CELERY_CONCURRENCY = ("worker_concurrency", "CELERY_WORKER_CONCURRENCY", "CELERYD_CONCURRENCY")
CELERY_POOL = ("worker_pool", "CELERY_WORKER_POOL", "CELERYD_POOL")
CELERY_SIGNS = (
    *CELERY_CONCURRENCY,
    *CELERY_POOL,
    "broker_url",
    "CELERY_BROKER_URL",
    "BROKER_URL",
    "result_backend",
    "CELERY_RESULT_BACKEND",
)
GUNICORN_SIGNS = ("workers", "worker_class", "threads", "bind", "worker_connections", "preload_app")


def _python(path: Path, text: str) -> Service:
    try:
        values, why_not = assignments(text)
    except SyntaxError as error:
        raise UsageError(f"--config {path}: line {error.lineno} is not Python.") from None
    names = {*values, *why_not}
    # A project's settings hold much else; Celery's own names decide before gunicorn's plain ones.
    reader = _Reader(str(path), values, why_not, [])
    if names & set(CELERY_SIGNS) or "Celery(" in text:
        return _celery(reader)
    if names & set(GUNICORN_SIGNS):
        return _gunicorn(reader)
    raise UsageError(
        f"--config {path}: no setting of gunicorn ({', '.join(GUNICORN_SIGNS[:3])}, …) or Celery "
        f"({', '.join((CELERY_CONCURRENCY[0], CELERY_POOL[0]))}, …) is assigned in it."
    )


def _gunicorn(reader: _Reader) -> Service:
    worker = reader.text("worker_class", default="sync")
    threads = reader.number("threads", default=1)
    hub = next((hub for hub in HUBS if hub in worker), "")
    processes = reader.number("workers", default=int(_environment("WEB_CONCURRENCY", "1")))
    return Service(
        kind="gunicorn",
        source=reader.source,
        processes=processes or 1,
        threads=1 if hub else threads,
        greenlets=reader.number("worker_connections", default=GUNICORN_CONNECTIONS) if hub else 0,
        hub=hub,
        preload=reader.flag("preload_app"),
        asynchronous=any(word in worker.lower() for word in ASGI),
        unread=tuple(reader.unread),
    )


def _environment(name: str, default: str) -> str:
    value = os.environ.get(name, default)
    return value if value.isdigit() else default


def _celery(reader: _Reader) -> Service:
    many = reader.number(*CELERY_CONCURRENCY, default=0)
    pool = reader.text(*CELERY_POOL, default="prefork").rpartition(".")[2].rpartition(":")[2]
    if not many and pool != "solo":
        many = os.cpu_count() or 1
        counted = say(N_("this machine's {count} CPUs are counted"), count=many)
        reader.unread.append(not_read(CELERY_CONCURRENCY[0], counted))
    many = 1 if pool == "solo" else many
    forks = pool in ("prefork", "processes")
    hub = next((hub for hub in HUBS if hub in pool), "")
    return Service(
        kind="Celery",
        source=reader.source,
        processes=many if forks else 1,
        threads=1 if forks or hub else many,
        greenlets=many if hub else 0,
        hub=hub,
        unread=tuple(reader.unread),
    )


def _uwsgi(path: Path, text: str) -> Service:
    # Keys may be repeated, and %-words are uWSGI's own placeholders.
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        raise UsageError(f"--config {path}: it cannot be read as an INI file.") from None
    if not parser.has_section("uwsgi"):
        raise UsageError(f"--config {path}: it has no [uwsgi] section.")
    values = {name: "true" if value is None else value for name, value in parser["uwsgi"].items()}
    reader = _Reader(str(path), values, {}, [])
    greenlets = reader.number("gevent", default=0)
    processes = reader.number("processes", "workers", default=1) or 1
    lazy = reader.flag("lazy-apps") or reader.flag("lazy")
    return Service(
        kind="uWSGI",
        source=reader.source,
        processes=processes,
        threads=reader.number("threads", default=1) or 1,
        greenlets=greenlets,
        hub="gevent" if greenlets else "",
        # uWSGI imports the application in its first process, then forks the others.
        preload=processes > 1 and not lazy,
        unread=tuple(reader.unread),
    )
