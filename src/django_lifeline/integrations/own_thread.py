"""A thread of its own for the synchronous parts of one piece of asynchronous work."""

from __future__ import annotations

import contextlib
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from django_lifeline.integrations.base import give_back


class OwnThread(ThreadSensitiveContext):
    """``async with OwnThread() as thread``: its block shares no thread with other work.

    Otherwise the ORM serves all asynchronous work of a process, requests aside, from one thread.
    """

    async def __aenter__(self) -> OwnThread:
        self._entered = SyncToAsync.thread_sensitive_context.set(self)
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        self.end()
        # An asynchronous generator that was given up is closed in another context, where the
        # variable was never set.
        with contextlib.suppress(ValueError):
            SyncToAsync.thread_sensitive_context.reset(self._entered)

    def end(self) -> None:
        """Let the thread give back and end once it has done what it has begun.

        What comes after gets another thread. Nobody waits for it: whoever calls this may be what
        it waits for.
        """
        executor = SyncToAsync.context_to_thread_executor.pop(self, None)
        if executor is not None:
            executor.submit(give_back)
            executor.shutdown(wait=False)
