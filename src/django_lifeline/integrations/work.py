"""What a thread is at work on, in a word: the name that metrics and spans have for it.

Nothing here runs while statements do, unless somebody listens: the name is looked up when there
is something to tell.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

OTHER = "other"
"""What work is called once there are too many names."""
LONGEST = 100
"""Characters of a name that are kept."""

_named: ContextVar[str] = ContextVar("django_lifeline_work", default="")

_FRAMEWORKS: dict[str, Callable[[Any], object]] = {
    "celery": lambda celery: getattr(celery.current_task, "name", ""),
    "rq": lambda rq: getattr(rq.get_current_job(), "func_name", ""),
}
"""Those that know what the calling thread works on; asked only where they are loaded."""

_OF_FUNCTION = re.compile(r"Thread-\d+ \((.+)\)")
_NUMBER = re.compile(r"[-_ ]*\d[\d_-]*$")


@contextlib.contextmanager
def named_work(name: str) -> Iterator[None]:
    """Call what happens inside the block *name*; the innermost block counts.

    It holds for asynchronous code too, and for the threads that ``sync_to_async`` runs it in.
    Choose few names, such as a job's, and none made of what it works on.
    """
    token = _named.set(name)
    try:
        yield
    finally:
        # A generator that was given up is closed elsewhere, where the name was never set.
        with contextlib.suppress(ValueError):
            _named.reset(token)


def work_is(name: str) -> None:
    """Call what the calling thread does from now on *name*; "" ends that.

    For frameworks that tell of a beginning and an end, and let nobody put a block round both.
    """
    _named.set(name)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name that work has whose only name is its function's."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def current_work() -> str:
    """Return the name of what the caller works on; never empty.

    That is the block's of `named_work`, the task's of Celery or RQ, or else the thread's without
    its numbers: its function's where it has no name of its own.
    """
    name = _named.get() or _of_framework() or _of_thread(threading.current_thread().name)
    return name[:LONGEST]


def _of_framework() -> str:
    for module, ask in _FRAMEWORKS.items():
        framework = sys.modules.get(module)
        if framework is not None:
            # A name is not worth a query.
            with contextlib.suppress(Exception):
                if name := ask(framework):
                    return str(name)
    return ""


def _of_thread(name: str) -> str:
    function = _OF_FUNCTION.fullmatch(name)
    return function[1] if function else _NUMBER.sub("", name) or "thread"


class FewNames:
    """The names of work that a process tells apart: the first *limit* ones it meets.

    Takes no lock, so that a fork cannot leave one locked: threads that come at the same moment
    may each add one more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._met: set[str] = set()

    def current(self) -> str:
        """Return the name of what the caller works on, ``other``, or "" where *limit* is 0."""
        if not self._limit:
            return ""
        name = current_work()
        if name not in self._met:
            if len(self._met) >= self._limit:
                return OTHER
            self._met.add(name)
        return name
