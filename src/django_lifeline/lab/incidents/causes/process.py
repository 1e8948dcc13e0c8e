"""What a process does to its own connections."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from django_lifeline.lab.incidents.bench import UNNOTICED, Bench, Interruption, NotBroughtAbout
from django_lifeline.lab.incidents.kinds import UNDER_WAY, kind
from django_lifeline.lab.incidents.network import duplicate
from django_lifeline.lab.incidents.scoring import Told

COM_QUIT = b"\x01\x00\x00\x00\x01"


@kind("closed_by_application")
def driver_connection_closed(bench: Bench) -> None:
    """Somebody calls close() on the driver's connection."""
    bench.use()
    bench.after_idle(lambda: bench.wrapper.connection.close())


@kind("closed_by_application")
def socket_shut_down(bench: Bench) -> None:
    """Somebody shuts the socket down, as a library that closes all descriptors would."""
    bench.use()

    def fault() -> None:
        with duplicate(bench.fd) as sock:
            sock.shutdown(socket.SHUT_RDWR)
        time.sleep(bench.between(0.0, 0.5))

    bench.after_idle(fault)


@kind("shared_after_fork", works=("fork", "fork in C"), main_thread=True)
def forked_inside_a_transaction(bench: Bench) -> None:
    """A child goes on with its parent's transaction."""
    bench.use()
    with bench.atomic():
        bench.write()
        _in_child(bench, bench.read)


@kind("shared_after_fork", works=("fork", "fork in C"), main_thread=True)
def forked_with_a_temporary_table(bench: Bench) -> None:
    """A child goes on with what only its parent's session has."""
    bench.use()
    bench.execute("CREATE TEMPORARY TABLE mine (id INT)")
    _in_child(bench, lambda: bench.execute("INSERT INTO mine VALUES (1)"))


@kind("shared_after_fork", tls=(False,), main_thread=True, alike="cut_while_idle_with_fin")
def child_said_goodbye_for_its_parent(bench: Bench) -> None:
    """A child, forked where Python does not see it, says COM_QUIT on its parent's socket."""
    bench.use()

    def fault() -> None:
        child = _fork("fork in C")
        if child == 0:
            os.write(bench.fd, COM_QUIT)
            os._exit(0)
        os.waitpid(child, 0)
        bench.wait_gone(bench.victim)

    bench.after_idle(fault)


def _in_child(bench: Bench, call: Callable[[], object]) -> None:
    """Do something in a forked child, and hear what the engine says of it there."""
    reading, writing = os.pipe()
    child = _fork(bench.setting.work)
    if child == 0:
        try:
            bench.attempt(call)
            told = [asdict(each) for each in bench.told]
            os.write(writing, json.dumps([bench.caller, told], default=str).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        caller, told = json.load(pipe)
    os.waitpid(child, 0)
    bench.caller += caller
    bench.told += [Told(**{**each, "causes": tuple(each["causes"])}) for each in told]


def _fork(how: str) -> int:
    # PyDLL holds the interpreter's lock, so that no other thread is in the middle of anything.
    return os.fork() if how == "fork" else int(ctypes.PyDLL(None).fork())


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


@kind("interrupted", works=UNDER_WAY[1:], main_thread=True)
def interrupted_by_a_signal(bench: Bench) -> None:
    """A time limit raises out of a signal handler in the middle of a statement."""
    bench.use()
    after = bench.between(0.1, 0.4)
    bench.note(after=after)

    def strike(number: int, frame: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGALRM, strike)
    try:
        _interrupted(bench, lambda: signal.setitimer(signal.ITIMER_REAL, after))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@kind("interrupted", works=UNDER_WAY[1:])
def interrupted_by_an_exception_from_another_thread(bench: Bench) -> None:
    """Another thread sends an exception into the one that waits for an answer."""
    bench.use()
    me = ctypes.c_ulong(threading.get_ident())
    send = ctypes.pythonapi.PyThreadState_SetAsyncExc
    after = bench.between(0.1, 0.4)
    bench.note(after=after)

    def begin() -> None:
        timer = threading.Timer(after, send, (me, ctypes.py_object(Interruption)))
        timer.start()

    _interrupted(bench, begin)


def _interrupted(bench: Bench, begin: Callable[[], object]) -> None:
    sleep = "SELECT SLEEP(0.8)"
    sql = {"write": f"INSERT INTO note (text) {sleep}"}.get(bench.setting.work, sleep)

    def work() -> None:
        begin()
        bench.execute(sql)

    def transact() -> None:
        with bench.atomic():
            bench.write()
            try:
                work()
            except Interruption:
                # Swallowed inside, as by careless code: the next statement must be told.
                bench.caller.append(UNNOTICED)
            bench.read()

    bench.read()
    bench.victim = bench.session
    bench.attempt(transact if bench.setting.work == "atomic" else work)
    bench.attempt(bench.read)
    if bench.holds_victim():
        raise NotBroughtAbout("The exception did not come in the middle of an exchange.")


@kind("out_of_sync", works=("read", "write"))
def result_left_unread(bench: Bench) -> None:
    """A driver cursor streams a result, is left in the middle, and Django goes on."""
    module = "pymysql" if bench.setting.driver == "pymysql" else "MySQLdb"
    streaming = importlib.import_module(f"{module}.cursors").SSCursor
    bench.use()
    bench.read()
    cursor = bench.wrapper.connection.cursor(streaming)
    cursor.execute("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
    cursor.fetchone()
    bench.attempt(bench.read if bench.setting.work == "read" else bench.write)
