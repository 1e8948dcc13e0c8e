"""ASGI: long-lived connections such as WebSockets, and functions run in other threads.

Django's own asynchronous views need nothing of this: their connections go back at the end of the
request.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async

from django_lifeline.integrations.base import give_back, in_scope

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def database_sync_to_async(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return what ``sync_to_async(function, **options)`` does; connections go back at each end.

    For code outside requests, and with ``thread_sensitive=False`` for code in other threads.
    """
    scoped = functools.update_wrapper(functools.partial(in_scope, function), function)
    return sync_to_async(scoped, **options)


class ConnectionScopeMiddleware:
    """Round an ASGI application whose connections last long, such as a WebSocket consumer.

    Each WebSocket gets a thread for its synchronous parts, as Django gives one to each request,
    and gives its database connections back whenever it waits for the next message. Requests are
    left to Django.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await self.application(scope, receive, send)
            return

        async def receive_next() -> Message:
            await sync_to_async(give_back)()
            return await receive()

        async with ThreadSensitiveContext():
            try:
                await self.application(scope, receive_next, send)
            finally:
                await sync_to_async(give_back)()
