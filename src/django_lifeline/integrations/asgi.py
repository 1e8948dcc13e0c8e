"""ASGI: long-lived connections such as WebSockets, and functions run in other threads.

Django's own asynchronous views need nothing of this: their connections go back at the end of the
request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async

from django_lifeline.integrations.base import drain_pools, give_back, in_scope
from django_lifeline.integrations.own_thread import OwnThread

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class DatabaseSyncToAsync(SyncToAsync[..., Any]):
    """What ``sync_to_async`` does; connections go back at each end.

    For code outside requests, and with ``thread_sensitive=False`` for code in other threads.
    ``database_sync_to_async(function)``, or a decorator of functions and methods.
    """

    def thread_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function in the thread that was chosen for it."""
        return in_scope(super().thread_handler, *args, **kwargs)


database_sync_to_async = DatabaseSyncToAsync


class ConnectionScopeMiddleware:
    """Round an ASGI application whose connections last long, such as a WebSocket consumer.

    Each WebSocket gets a thread for its synchronous parts, as Django gives one to each request.
    When it waits for its next message it gives its database connections back, and the thread
    ends; the message gets another one. Requests are left to Django.

    When the server ends, it closes the connections, if the server speaks ASGI's lifespan protocol.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's life."""
        if scope["type"] == "websocket":
            await self._talk(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self.application(scope, receive, send)

    async def _talk(self, scope: Message, receive: Receive, send: Send) -> None:
        async def receive_next() -> Message:
            thread.end()
            return await receive()

        async with OwnThread() as thread:
            await self.application(scope, receive_next, send)

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        heard = False

        async def receive_next() -> Message:
            nonlocal heard
            heard = True
            return await receive()

        async def send_next(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await sync_to_async(drain_pools, thread_sensitive=False)()
            await send(message)

        try:
            await self.application(scope, receive_next, send_next)
        except Exception:
            if heard:
                raise
            # Neither Django nor Channels knows this protocol.
            for moment in ("startup", "shutdown"):
                await receive()
                await send_next({"type": f"lifespan.{moment}.complete"})


class ConnectionScopeConsumer:
    """A base before Channels' own: gives back after each message, also one of a channel layer.

    ``class Ticker(ConnectionScopeConsumer, AsyncWebsocketConsumer)``. The middleware sees only what
    comes from the visitor.
    """

    async def dispatch(self, message: Message) -> None:
        """Handle one message."""
        try:
            await super().dispatch(message)  # type: ignore[misc]
        finally:
            thread = SyncToAsync.thread_sensitive_context.get(None)
            if isinstance(thread, OwnThread):
                thread.end()
            else:
                await sync_to_async(give_back)()
