"""One connection, two uses of it at the same time."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import kind


@kind("shared_between_threads", works=("read", "write"))
def wrapper_used_by_two_threads(bench: Bench) -> None:
    """A thread uses a wrapper, with Django's guard off, while another waits for its answer."""
    bench.use()
    wrapper = bench.wrapper
    wrapper.inc_thread_sharing()
    _while_it_runs(bench, lambda: _execute_on(bench, wrapper.cursor()))


@kind("shared_between_threads", works=("read", "write"))
def cursor_used_by_two_threads(bench: Bench) -> None:
    """A cursor is handed to a thread, which uses it while its owner waits for an answer."""
    bench.use()
    bench.read()
    cursor = bench.wrapper.cursor()
    _while_it_runs(bench, lambda: _execute_on(bench, cursor))


def _while_it_runs(bench: Bench, other: Callable[[], object]) -> None:
    bench.read()
    mark = f"/* mark {bench.setting.seed} */"

    def intrude() -> None:
        bench.wait_running(mark)
        bench.attempt(other)

    thread = threading.Thread(target=intrude)
    thread.start()
    bench.attempt(lambda: bench.execute(f"SELECT SLEEP(1) {mark}"))
    thread.join()


def _execute_on(bench: Bench, cursor: object) -> None:
    sql = {"read": "SELECT text FROM note", "write": "INSERT INTO note (text) VALUES ('other')"}
    cursor.execute(sql[bench.setting.work])  # type: ignore[attr-defined]


# PyMySQL reads the rest by itself.
@kind("out_of_sync", works=("read", "write"), drivers=("mysqlclient",))
def result_left_unread(bench: Bench) -> None:
    """A driver cursor streams a result, is left in the middle, and Django goes on."""
    streaming = importlib.import_module("MySQLdb.cursors").SSCursor
    bench.use()
    bench.read()
    cursor = bench.wrapper.connection.cursor(streaming)
    cursor.execute("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
    cursor.fetchone()
    bench.attempt(bench.read if bench.setting.work == "read" else bench.write)
