"""Deliberately bad and good setups, examined on a real server that this program may change."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pymysql
from django.apps import apps
from django.db import connections
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import database, forget, say

from django_lifeline.commands import main as command
from lifeline_lab.wire import WireProxy

SECRETS = ("app-password-71", "wrong-password-72", "literal-secret-73", "socket-secret-74")
APP = {"USER": "doctor_app", "PASSWORD": SECRETS[0]}
FEW = {**APP, "USER": "doctor_few"}
BOUNDED = {"connect_timeout": 5, "read_timeout": 30, "write_timeout": 30}
NAME = SETUP["database"]["NAME"]
LOCKS = "SELECT GET_LOCK('doctor', 0)"
FOLDER = Path(tempfile.mkdtemp())


def accounts() -> None:
    for user, limit in (("doctor_app", 0), ("doctor_few", 5)):
        account = f"'{user}'@'127.0.0.1'"
        admin(f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{SECRETS[0]}'")
        admin(f"ALTER USER {account} WITH MAX_USER_CONNECTIONS {limit}")
        admin(f"GRANT ALL ON `{NAME}`.* TO {account}")


@contextmanager
def variables(**values: int) -> Iterator[None]:
    """Set global variables, and set them back."""
    before = {name: admin(f"SELECT @@GLOBAL.{name}")[0][0] for name in values}
    for name, value in values.items():
        admin(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        for name, value in before.items():
            admin(f"SET GLOBAL {name} = {value}")


def examine(alias: str, *words: str) -> dict[str, Any]:
    """Run the command in each of its shapes; return what it said."""
    page = FOLDER / "page.html"
    out, text = io.StringIO(), io.StringIO()
    status = command(["doctor", "--database", alias, "--json", "--html", str(page), *words], out)
    command(["doctor", "--database", alias, *words], text)
    every = out.getvalue() + text.getvalue() + page.read_text()
    [examined] = json.loads(out.getvalue())["databases"]
    return {
        "status": status,
        "grave": sorted(
            finding["id"].removeprefix("lifeline.")
            for finding in examined["findings"]
            if finding["level"] != "info"
        ),
        "worst": examined["findings"][0]["level"] if examined["findings"] else None,
        "text": "\n".join(f"{it['what']}\n{it['change']}" for it in examined["findings"]),
        "leaks": [secret for secret in SECRETS if secret in every],
    }


def file(name: str, text: str) -> list[str]:
    path = FOLDER / name
    path.write_text(text)
    return ["--config", str(path)]


GEVENT = "worker_class = 'gevent'\nworkers = 2\nworker_connections = 50\n"
GTHREAD = "workers = 4\nthreads = 4\npreload_app = False\n"
CELERY = "broker_url = 'redis://:socket-secret-74@x'\nworker_concurrency = 4\n"


class SSCursor(pymysql.cursors.SSCursor):
    """Has the name by which streaming is recognised, with either driver."""


def bad() -> dict[str, Any]:
    said = {}

    def look(name: str, *words: str, engine: str = "stock", **settings: Any) -> None:
        settings = {**APP, "CONN_MAX_AGE": 0, **settings}
        said[name] = examine(database(name, engine, **settings), *words)
        forget(name)

    look("kept for ever", CONN_MAX_AGE=None)
    with variables(wait_timeout=32140800):
        look("raised to a year", CONN_MAX_AGE=None)
    with variables(wait_timeout=10, interactive_timeout=10):
        look("ten seconds, kept", CONN_MAX_AGE=None)
        look("ten seconds, five", CONN_MAX_AGE=5)
    with variables(max_connections=60):
        look("gevent, sixty", *file("gunicorn.conf.py", GEVENT), CONN_MAX_AGE=60)
    look("too many threads", "--processes", "30", "--threads", "8")
    look("too many machines", *file("g.py", GTHREAD), "--instances", "20")
    look("few for the account", *file("g.py", GTHREAD), **FEW)
    look("celery", *file("celeryconfig.py", CELERY))
    with variables(max_allowed_packet=1 << 20):
        look("small packet")
    look("streaming", OPTIONS={"cursorclass": SSCursor})
    init = f"SET @token = '{SECRETS[2]}', autocommit = 0"
    look("pinning init", OPTIONS={"init_command": init})
    look("writing init", OPTIONS={"init_command": f"CREATE TABLE {SECRETS[2][:7]} (x INT)"})
    look("administrator", USER=SETUP["server"]["user"], PASSWORD=SETUP["server"]["password"])
    # The system takes it for loopback; by its looks it is another machine's.
    look("over the network", HOST="127.1")
    look("wrong password", PASSWORD=SECRETS[1])
    look("wrong option of the driver", OPTIONS={"conect_timeout": 5})
    with WireProxy("127.0.0.1", SETUP["database"]["PORT"]) as proxy:
        look("behind a proxy", PORT=proxy.port, CONN_MAX_AGE=120)
        port = proxy.port
    look("nobody there", PORT=port, CONN_MAX_AGE=0, engine="lifeline")
    look(
        "options without effect",
        engine="lifeline",
        CONN_MAX_AGE=60,
        CONN_HEALTH_CHECKS=True,
        AUTOCOMMIT=False,
        OPTIONS={"pool": {"max_size": 10, "max_idle": 99999}},
    )
    look("a level too high", engine="lifeline", pool={"max_size": 5}, charset="utf8mb4")
    look("left by another pool", engine="lifeline", POOL_OPTIONS={"POOL_SIZE": 5})
    look("wrong option of ours", engine="lifeline", OPTIONS={"pool": {"maxsize": 5}})
    look("pool over the server", engine="lifeline", OPTIONS={"pool": {"max_size": 400}})
    return said


def good() -> dict[str, Any]:
    said = {}

    def look(name: str, *words: str, engine: str, **settings: Any) -> None:
        settings = {**APP, "CONN_MAX_AGE": 0, **settings}
        said[name] = examine(database(name, engine, **settings), *words)
        forget(name)

    look("ours as it is", engine="lifeline")
    look("ours under gevent", *file("gunicorn.conf.py", GEVENT), engine="lifeline")
    look("ours without a pool", engine="lifeline", CONN_MAX_AGE=60, OPTIONS={"pool": False})
    look(
        "ours with options",
        "--processes",
        "8",
        "--threads",
        "16",
        engine="lifeline",
        OPTIONS={"pool": {"max_size": 5}, "init_command": "SET innodb_lock_wait_timeout = 9"},
    )
    look("stock, closing", *file("g.py", GTHREAD), engine="stock", OPTIONS=BOUNDED)
    look("stock, checking", engine="stock", CONN_MAX_AGE=600, CONN_HEALTH_CHECKS=True)
    return said


def filled() -> dict[str, Any]:
    """The server has been full: last, since its counters cannot be set back."""
    with variables(max_connections=12), contextlib.ExitStack() as stack:
        for _ in range(12):
            one = pymysql.connect(
                unix_socket=SETUP["server"]["socket"], user="root", ssl_disabled=True
            )
            stack.callback(one.close)
        stack.close()
        name = database("has been full", "lifeline", **APP, CONN_MAX_AGE=0)
        return examine(name)


def status() -> dict[str, Any]:
    out = io.StringIO()
    alias = database("status", "stock", **APP)
    code = command(["status", "--database", alias], out)
    forget(alias)
    return {"status": code, "text": out.getvalue()}


def writes(call: Callable[[], Any]) -> list[str]:
    """The statements that are not reads, of all that ``call`` sends; the general log says it."""
    admin("SET GLOBAL log_output = 'TABLE'")
    admin("TRUNCATE mysql.general_log")
    admin("SET GLOBAL general_log = 1")
    try:
        call()
    finally:
        admin("SET GLOBAL general_log = 0")
    sent = admin(
        "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
        " WHERE command_type = 'Query' AND user_host LIKE %s",
        "doctor_app%",
    )
    assert len(sent) > 5
    reads = ("SELECT", "SHOW", "SET NAMES", "SET AUTOCOMMIT", "ROLLBACK", "COMMIT")
    return [sql for (sql,) in sent if sql == LOCKS or not sql.upper().startswith(reads)]


def main() -> None:
    accounts()
    assert apps.ready
    report = {
        "good": good(),
        "bad": bad(),
        "status": status(),
        "writes": writes(
            lambda: examine(database("log", "stock", **APP, OPTIONS={"init_command": LOCKS}))
        ),
        "filled": filled(),
        "at": datetime.now().isoformat(),
        "open": [alias for alias in connections if vars(connections[alias]).get("connection")],
    }
    say(report)


if __name__ == "__main__":
    main()
