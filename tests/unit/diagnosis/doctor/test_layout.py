"""Configuration files and flags: how many may need a connection at once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from django_lifeline.diagnosis.doctor.facts import Service
from django_lifeline.diagnosis.doctor.layout import layout, make_layout, read_config
from django_lifeline.diagnosis.saying import tell
from django_lifeline.diagnosis.usage import UsageError

CPUS = os.cpu_count() or 1


def read(folder: Path, text: str, name: str = "gunicorn.conf.py") -> Service:
    path = folder / name
    path.write_text(text)
    service = read_config(path)
    return replace(service, source="", unread=tuple(tell(line, str) for line in service.unread))


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("workers = 4\nthreads = 2", Service(kind="gunicorn", processes=4, threads=2)),
        (
            "import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1",
            Service(kind="gunicorn", processes=CPUS * 2 + 1),
        ),
        (
            "base = 3\nworkers = max(base, 2)\npreload_app = True",
            Service(kind="gunicorn", processes=3, preload=True),
        ),
        (
            "worker_class = 'gevent'\nworkers = 2\nthreads = 8",
            Service(kind="gunicorn", processes=2, greenlets=1000, hub="gevent"),
        ),
        (
            "worker_class = 'eventlet'\nworker_connections = 50",
            Service(kind="gunicorn", greenlets=50, hub="eventlet"),
        ),
        (
            "worker_class = 'uvicorn.workers.UvicornWorker'\nworkers = 2",
            Service(kind="gunicorn", processes=2, asynchronous=True),
        ),
        (
            "bind = 'x'\nif DEBUG:\n    workers = 1\nworker_class = pick()",
            Service(
                kind="gunicorn",
                unread=(
                    "worker_class: it calls pick",
                    "workers: it is set inside a block",
                ),
            ),
        ),
    ],
)
def test_gunicorn_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, service: Service
) -> None:
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    assert read(tmp_path, text) == replace(service, source="")


def test_gunicorns_environment_variable_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "6")
    assert read(tmp_path, "threads = 2").processes == 6
    assert read(tmp_path, "workers = 3").processes == 3


@pytest.mark.parametrize(
    ("text", "processes", "threads", "greenlets"),
    [
        ("app = Celery('shop')\napp.conf.worker_concurrency = 4", 4, 1, 0),
        ("CELERY_WORKER_CONCURRENCY = 3\nCELERY_WORKER_POOL = 'threads'", 1, 3, 0),
        ("app.conf.update(worker_concurrency=100, worker_pool='gevent')", 1, 1, 100),
        ("broker_url = 'redis://:secret@x'", CPUS, 1, 0),
        ("worker_pool = 'solo'\nworker_concurrency = 9", 1, 1, 0),
        ("worker_concurrency = 2\nworker_pool = 'celery.concurrency.prefork:TaskPool'", 1, 2, 0),
    ],
)
def test_celery_file_is_read(
    tmp_path: Path, text: str, processes: int, threads: int, greenlets: int
) -> None:
    service = read(tmp_path, text, "celery.py")
    assert service.kind == "Celery"
    assert (service.processes, service.threads, service.greenlets) == (
        processes,
        threads,
        greenlets,
    )


def test_cpus_that_are_counted_for_celery_are_told(tmp_path: Path) -> None:
    assert "CPUs are counted" in str(read(tmp_path, "broker_url = 'x'", "celery.py").unread[0])
    assert read(tmp_path, "worker_concurrency = 2", "celery.py").unread == ()


@pytest.mark.parametrize(
    ("text", "service"),
    [
        (
            "[uwsgi]\nprocesses = 4\nthreads = 2\nenable-threads",
            Service(kind="uWSGI", processes=4, threads=2, preload=True),
        ),
        ("[uwsgi]\nworkers = 4\nlazy-apps = true", Service(kind="uWSGI", processes=4)),
        (
            "[uwsgi]\ngevent = 100\nprocesses = 2\nlazy-apps = 1",
            Service(kind="uWSGI", processes=2, greenlets=100, hub="gevent"),
        ),
        (
            "[uwsgi]\nprocesses = %k",
            Service(kind="uWSGI", unread=("processes: its value does not fit",)),
        ),
        ("[uwsgi]\nhttp = :80\nhttp = :81", Service(kind="uWSGI")),
    ],
)
def test_uwsgi_file_is_read(tmp_path: Path, text: str, service: Service) -> None:
    assert read(tmp_path, text, "uwsgi.ini") == replace(service, source="")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.py", "workers = (", "line 1 is not Python"),
        ("x.py", "colour = 'red'", "no setting of gunicorn"),
        ("x.ini", "[other]\na = 1", "no [uwsgi] section"),
        ("x.ini", "no section", "cannot be read as an INI file"),
        ("x.yaml", "a: 1", "(.py) or a uWSGI file (.ini)"),
    ],
)
def test_file_that_cannot_be_used_is_refused_with_the_remedy(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text, name)
    assert words in str(raised.value)
    assert name in str(raised.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.py")


def test_file_is_not_run_and_no_value_of_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_PASSWORD", "hidden-value")
    marker = tmp_path / "ran"
    text = f"""
import os
open({str(marker)!r}, "w")
workers = os.environ["THE_PASSWORD"]
threads = __import__("os").system("true")
worker_connections = 10 ** 10 ** 10
preload_app = "x" * 10 ** 12
"""
    service = read(tmp_path, text)
    assert not marker.exists()
    assert "hidden-value" not in repr(service)
    assert len(service.unread) == 3
    assert service.processes == 1


def test_flags_count_as_one_more_service() -> None:
    web = Service(kind="gunicorn", processes=2)
    assert layout([web], None, None, None) == (web,)
    assert layout([web], 3, None, None) == (web, Service(processes=3))
    assert layout([], None, None, 50) == (Service(greenlets=50, hub="gevent"),)
    assert make_layout((), 3) is None
    known = make_layout((web,), 3)
    assert known is not None and known.instances == 3
