"""The program under measurement: threads that write and read, as a site's workers do.

It runs in a process of its own, told by the environment, and prints what each statement came to.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from typing import Any


def main(setup: dict[str, Any]) -> None:
    """Say that work has begun, go on until standard input ends, and print the history."""
    if setup["gevent"]:
        from gevent import monkey

        monkey.patch_all()
    if setup["driver"] == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    settings.configure(DATABASES={"default": setup["database"]}, USE_TZ=True)
    django.setup()
    over = threading.Event()
    history: list[tuple[float, str, str, str]] = []
    threads = [
        threading.Thread(target=work, args=(number, setup["pause"], over, history))
        for number in range(setup["threads"])
    ]
    for thread in threads:
        thread.start()
    while len(history) < 2 * setup["threads"]:
        time.sleep(0.01)
    print("begun", flush=True)
    await_end()
    over.set()
    for thread in threads:
        thread.join()
    json.dump(history, sys.stdout)


def await_end() -> None:
    """Wait for the end of standard input, looking again and again: greenlets must not block."""
    while not select.select([sys.stdin], [], [], 0)[0]:
        time.sleep(0.05)


def work(
    number: int, pause: float, over: threading.Event, history: list[tuple[float, str, str, str]]
) -> None:
    """Do one piece of work after the other: a write, a read, and the end of a request."""
    from django.db import close_old_connections, connection

    turn = 0
    while not over.is_set():
        turn += 1
        name = f"{number}-{turn}"
        for kind, sql, params in (
            ("write", "INSERT INTO piece (id) VALUES (%s)", [name]),
            ("read", "SELECT COUNT(*) FROM piece WHERE id = %s", [name]),
        ):
            history.append((*attempt(connection, kind, sql, params), name))
        close_old_connections()
        over.wait(pause)
    connection.close()


def attempt(connection: Any, kind: str, sql: str, params: list[str]) -> tuple[float, str, str]:
    """Run one statement; when it was over, what it was, and ``ok`` or the error's number."""
    from django.db import Error

    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
    except Error as error:
        return time.monotonic(), kind, str(error.args[0] if error.args else type(error).__name__)
    return time.monotonic(), kind, "ok"


if __name__ == "__main__":
    main(json.loads(os.environ["LIFELINE_LOAD"]))
