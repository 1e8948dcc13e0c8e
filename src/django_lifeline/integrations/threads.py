"""Threads and executors that give connections back at the end of each task, and name it.

Drop-in subclasses of what ``threading`` and ``concurrent.futures`` offer.
"""

from __future__ import annotations

import concurrent.futures
import functools
import threading
from collections.abc import Callable
from multiprocessing import util
from typing import Any, TypeVar

from django.apps import apps

from django_lifeline.integrations.base import drain_pools, in_scope
from django_lifeline.integrations.work import name_of, named_work

T = TypeVar("T")


class Thread(threading.Thread):
    """A thread whose connections are free again when it ends, not when they are next needed."""

    def run(self) -> None:
        """Run the target, or what a subclass put here, and give back."""
        in_scope(super().run)


class ThreadPoolExecutor(concurrent.futures.ThreadPoolExecutor):
    """A thread pool whose idle threads hold no connections."""

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        """Schedule ``fn(*args, **kwargs)``; the connections it uses go back at its end."""
        return super().submit(_run_task, fn, *args, **kwargs)


class ProcessPoolExecutor(concurrent.futures.ProcessPoolExecutor):
    """A process pool for work with the database, whatever the start method.

    Worker processes set Django up if they were spawned, hold no connections between two tasks
    and say goodbye to the server when they end.
    """

    def __init__(
        self,
        *args: Any,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        **kwargs: Any,
    ) -> None:
        begin = functools.partial(_begin_worker, initializer)
        super().__init__(*args, initializer=begin, initargs=initargs, **kwargs)

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        """Schedule ``fn(*args, **kwargs)``; the connections it uses go back at its end."""
        return super().submit(_run_task, fn, *args, **kwargs)


def _run_task(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    with named_work(name_of(function)):
        return in_scope(function, *args, **kwargs)


def _begin_worker(initializer: Callable[..., object] | None, *initargs: Any) -> None:
    if not apps.ready:
        import django

        django.setup()
    # multiprocessing ends its children without Python's own clean-up, but not without this.
    util.Finalize(None, drain_pools, exitpriority=0)
    if initializer is not None:
        initializer(*initargs)
