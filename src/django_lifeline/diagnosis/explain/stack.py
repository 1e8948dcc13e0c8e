"""Where in the program a connection was lost, told by the frames of its traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: a file and a function. Never the code, which may hold a password."""

    path: str
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"


class Step(Enum):
    """What was asked of the server."""

    CONNECT = "connect"
    BEGIN = "begin"
    """The beginning of a transaction: ``atomic`` switches autocommit off."""
    AFTER_COMMIT = "after_commit"
    """The end of ``atomic``: COMMIT was answered, autocommit is switched on again."""
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"
    PING = "ping"
    FETCH = "fetch"
    """Rows of a result that is read while it is worked on."""
    BULK = "bulk"
    """Many rows in one statement."""
    WRITE = "write"
    READ = "read"
    STATEMENT = "statement"
    """A statement, and the traceback does not say of what kind."""


class Context(Enum):
    """What kind of program it was."""

    WEB = "web"
    TEST = "test"
    CELERY = "celery"
    APSCHEDULER = "apscheduler"
    RPC = "rpc"
    COMMAND = "command"
    PROCESS = "process"
    GEVENT = "gevent"
    EXECUTOR = "executor"
    THREAD = "thread"
    ASYNC = "async"
    SHELL = "shell"
    HEALTH = "health"
    JOB = "job"
    """A queue's worker, a workflow's task, a spooler: whatever runs jobs beside requests."""


_BACKEND = r"(?:django/db/backends|django_lifeline/backends|core/drivers)/"
_STEPS = (
    (
        Step.CONNECT,
        rf"{_BACKEND}.*:(?:get_new_connection|connect)$|MySQLdb/__init__\.py:[Cc]onnect"
        r"|MySQLdb/connections\.py:__init__|pymysql/__init__\.py:[Cc]onnect"
        r"|pymysql/connections\.py:(?:connect|_get_server_information|_request_authentication)"
        r"|(?:aiomysql|asyncmy)/connection\.pyx?:_?connect"
        r"|mysql/connector/.*:(?:connect|_open_connection|_do_handshake)",
    ),
    (Step.PING, r":(?:is_usable|ping|close_if_health_check_failed)$"),
    (
        Step.ROLLBACK,
        rf"(?:{_BACKEND}.*|django/db/transaction\.py|.*sqlalchemy.*):_?_?(?:do_)?rollback\w*$",
    ),
    (Step.SAVEPOINT, r":_?savepoint(?:_commit|_rollback)?$"),
    (
        Step.COMMIT,
        rf"(?:{_BACKEND}.*|django/db/transaction\.py|.*sqlalchemy.*):_?(?:do_)?commit\w*$",
    ),
    (
        Step.FETCH,
        r":(?:fetchone|fetchmany|fetchall|cursor_iter|_fetch_row|next_fset)$"
        r"|:(?:read_rowdata_packet_unbuffered|_read_rowdata_packet_unbuffered|read_next)$",
    ),
    (
        Step.BULK,
        r":(?:bulk_create|bulk_update|_batched_insert|executemany|_executemany|_do_execute_many)$|commands/loaddata",
    ),
)
_STEP_PATTERNS = tuple((step, re.compile(pattern)) for step, pattern in _STEPS)
_WRITES = re.compile(
    r"django/db/models/\w+\.py:(?:save|save_base|_save_table|_do_insert|_do_update|_insert|create"
    r"|update|delete|delete_batch|update_or_create|_raw_delete|_perform_write)$"
    r"|sessions/backends/db\.py:save$"
)
_READS = re.compile(
    r"django/db/models/\w+\.py:(?:_fetch_all|get|first|last|exists|has_results|count|get_count"
    r"|aggregate|get_aggregation|iterator|_iterator|__iter__|__len__|__bool__|__nonzero__"
    r"|__getitem__|in_bulk|earliest|latest|results_iter|refresh_from_db)$"
)

_CONTEXTS = (
    (Context.TEST, r"/_pytest/|/pytest_django/|/unittest/|django/test/(?!client)"),
    (
        Context.CELERY,
        r"celery/app/(?:trace|task)\.py|celery/beat\.py|django_celery_beat/|celery/worker",
    ),
    (Context.APSCHEDULER, r"/apscheduler/|django_apscheduler/"),
    (Context.RPC, r"/grpc/|/xmlrpc/|SimpleXMLRPC|/thrift/|/nameko/|/rpyc/|/zerorpc/"),
    (
        Context.WEB,
        r"django/core/handlers/|django/contrib/staticfiles/handlers|flask/app\.py|/werkzeug/serving"
        r"|rest_framework/|gunicorn/workers/|uvicorn/protocols|/waitress/|uwsgi_file_|frappe/app\.py"
        r"|frappe/handler\.py|twisted/web/",
    ),
    (Context.COMMAND, r"core/management/base\.py:(?:execute|run_from_argv)$"),
    (
        Context.PROCESS,
        r"multiprocessing/(?:process|pool|spawn|popen_fork)\.py|concurrent/futures/process"
        r"|joblib/|:_?after_fork$|:os_fork$",
    ),
    (
        Context.GEVENT,
        r"gevent/(?:_?_?greenlet|hub|pool|baseserver|threadpool|pywsgi)|eventlet/|ggevent",
    ),
    (
        Context.JOB,
        r"/huey/|/rq/(?:worker|job)\.py|/dramatiq/|/django_q/|/airflow/|/arq/worker|/procrastinate/"
        r"|django_tasks|background_task/|uwsgidecorators\.py|frappe/utils/(?:background_jobs|sched)"
        r"|/schedule/__init__\.py|/prefect/|/luigi/|/dagster/|/rocketry/|/crontab/|django_cron",
    ),
    (Context.EXECUTOR, r"concurrent/futures/thread\.py"),
    (
        Context.THREAD,
        r"twisted/python/threadpool\.py|threading\.py:(?:run|_bootstrap|_?_?bootstrap_inner|__bootstrap)",
    ),
    (Context.ASYNC, r"asgiref/|asyncio/|channels/|uvicorn/|/daphne/|twisted/internet/"),
    (Context.SHELL, r"<console>|<stdin>|<ipython|IPython/|ipykernel|commands/shell\.py"),
    (Context.HEALTH, r"[/:]health_?check|:(?:healthz?|readyz|livez|liveness|readiness)$"),
)
_CONTEXT_PATTERNS = tuple((context, re.compile(text, re.MULTILINE)) for context, text in _CONTEXTS)
_RUNSERVER = re.compile(r"commands/runserver\.py")

_EARLY = re.compile(
    r"contrib/sessions/backends/(?!.*:save$)|contrib/auth/middleware\.py|contrib/auth/__init__\.py"
    r":get_user$|:process_request$|contrib/sites/|middleware\w*\.py:(?!__call__|process_response)"
)
_LATE = re.compile(r":process_response$|sessions/backends/.*:save$")
_LIBRARY = re.compile(
    r"site-packages|dist-packages|/lib(?:64)?/python|^<|django/(?:db|core|contrib|utils|test|views)"
    r"|/python\d\.?\d*/|django_lifeline/|apps/frappe/|MySQLdb|pymysql|^lib/|frozen|Lib/|\.egg/"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a loss happened."""

    step: Step = Step.STATEMENT
    contexts: frozenset[Context] = frozenset()
    first_query: bool = False
    """It was the first query of a request: the session's, the user's, a middleware's."""
    code: str = ""
    """The innermost frame that is the application's own, as ``folder/file.py in function``."""


@lru_cache(maxsize=256)
def place_of(failing: tuple[Frame, ...], all_frames: tuple[Frame, ...]) -> Place:
    """Say where it was; *failing* are the frames of the error, outermost first.

    *all_frames* are those of everything that was printed with it as well: the request, the task.
    A log has the same traceback many times, so answers are remembered.
    """
    names = [str(frame) for frame in failing]
    own = _own(failing) or _own(all_frames)
    all_names = [str(frame) for frame in all_frames]
    contexts = _contexts(all_names)
    return Place(
        step=_step(names),
        contexts=contexts,
        first_query=_is_first(all_names, own, contexts),
        code=_shown(own[-1]) if own else "",
    )


def _own(frames: Sequence[Frame]) -> list[Frame]:
    return [frame for frame in frames if not _LIBRARY.search(frame.path)]


def _step(names: Sequence[str]) -> Step:
    joined = "\n".join(names)
    for step, pattern in _STEP_PATTERNS[:2]:
        if any(pattern.search(name) for name in names):
            return step
    if re.search(r":_?set_autocommit$", joined, re.MULTILINE):
        ends = re.search(r"django/db/transaction\.py:__exit__$", joined, re.MULTILINE)
        return Step.AFTER_COMMIT if ends else Step.BEGIN
    for step, pattern in _STEP_PATTERNS[2:]:
        if any(pattern.search(name) for name in names):
            return step
    for name in reversed(names):
        if _WRITES.search(name):
            return Step.WRITE
        if _READS.search(name):
            return Step.READ
    return Step.STATEMENT


def _contexts(names: Iterable[str]) -> frozenset[Context]:
    joined = "\n".join(names)
    found = {c for c, pattern in _CONTEXT_PATTERNS if pattern.search(joined)}
    if Context.WEB in found:
        # A request is served in threads, greenlets and coroutines of the server's own making.
        found -= {Context.THREAD, Context.EXECUTOR}
    if Context.COMMAND in found and _RUNSERVER.search(joined):
        found.discard(Context.COMMAND)
    if found & {Context.EXECUTOR, Context.APSCHEDULER, Context.JOB}:
        found.discard(Context.THREAD)
    return frozenset(found)


def _is_first(names: Sequence[str], own: Sequence[Frame], contexts: frozenset[Context]) -> bool:
    if Context.WEB not in contexts or any(_LATE.search(name) for name in names):
        return False
    if any(_EARLY.search(name) for name in names):
        return True
    return bool(own) and "middleware" in own[-1].path


def _shown(frame: Frame) -> str:
    """Return the frame for people; what is no plain name is not shown, whatever it may be."""
    path = "/".join(frame.path.split("/")[-2:])
    names = (path if _PATH.fullmatch(path) else "…", frame.function)
    return f"{names[0]} in {names[1] if _NAME.fullmatch(names[1]) else '…'}"


_PATH = re.compile(r"[\w.+-]{1,80}(?:/[\w.+-]{1,80})?")
_NAME = re.compile(r"<?[\w.]{1,80}>?")
