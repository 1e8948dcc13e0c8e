"""The program breaks into its own statement."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator

from lifeline_lab.incidents.bench import UNNOTICED, Bench, Interruption
from lifeline_lab.incidents.ground import NotBroughtAbout
from lifeline_lab.incidents.kinds import GREENLET, MAIN, TCP, THREAD, UNDER_WAY, kind


@kind("interrupted", works=UNDER_WAY[1:], lanes=(MAIN,))
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


@kind("interrupted", works=UNDER_WAY[1:], lanes=(GREENLET,))
def interrupted_by_a_timeout_of_gevent(bench: Bench) -> None:
    """A greenlet's own time limit, as web workers have, ends its wait for an answer."""
    from gevent import Timeout

    bench.use()
    after = bench.between(0.1, 0.4)
    bench.note(after=after)
    limit = Timeout(after, Interruption)
    try:
        _interrupted(bench, limit.start)
    finally:
        limit.close()


@kind("interrupted", works=UNDER_WAY[1:], lanes=(THREAD,))
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


@kind(
    "interrupted",
    ways=TCP,
    works=UNDER_WAY[1:],
    tls=(True,),
    lanes=(MAIN,),
    drivers=("mysqlclient",),
)
def signal_taken_for_a_timeout(bench: Bench) -> None:
    """Over TLS and with a read_timeout, libmariadb gives up at a signal that raises nothing."""
    bench.use(read_timeout=bench.chance.choice((10, 20)))
    with signals():
        bench.while_running(lambda: time.sleep(0.3))


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """Let signals arrive every 0.05 s, whose handler just returns."""
    came: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: came.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if not came:
        raise NotBroughtAbout("No signal came.")


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
