"""gRPC: interceptors that give connections back at the end of each call.

grpc.server(executor, interceptors=[ConnectionScopeInterceptor()])
grpc.aio.server(interceptors=[AsyncConnectionScopeInterceptor()])
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

from django_lifeline.integrations.base import give_back, in_scope, missing
from django_lifeline.integrations.own_thread import OwnThread
from django_lifeline.integrations.work import named_work

try:
    import grpc
    import grpc.aio
except ImportError as error:
    raise missing("grpc") from error

Behaviour = Callable[[Any, Any], Any]


class ConnectionScopeInterceptor(grpc.ServerInterceptor):
    """For ``grpc.server``: what a call borrowed goes back when it ends, also when it fails."""

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Wrap the handler of one call."""
        return _wrapped(continuation(details), details.method, _around)


class AsyncConnectionScopeInterceptor(grpc.aio.ServerInterceptor):
    """The same for ``grpc.aio.server``, whose handlers may be of either kind.

    Each asynchronous call gets a thread for its synchronous parts, as Django gives one to each
    request under ASGI. Otherwise the ORM would serve all calls from a single thread, one by one.
    """

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """Wrap the handler of one call."""
        return _wrapped(await continuation(details), details.method, _around_either)


_HANDLERS = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


def _wrapped(handler: Any, method: str, wrap: Callable[[Behaviour, str, bool], Behaviour]) -> Any:
    """Return a handler like this one, None for a method that nobody handles."""
    if handler is None:
        return None
    streams = bool(handler.response_streaming)
    kind, make = _HANDLERS[bool(handler.request_streaming), streams]
    return make(
        wrap(getattr(handler, kind), method, streams),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _around(behaviour: Behaviour, method: str, streams: bool) -> Behaviour:
    def answer(request: Any, context: Any) -> Any:
        with named_work(method):
            return in_scope(behaviour, request, context)

    def answer_with_stream(request: Any, context: Any) -> Iterator[Any]:
        with named_work(method):
            try:
                yield from behaviour(request, context)
            finally:
                give_back()

    return answer_with_stream if streams else answer


def _around_either(behaviour: Behaviour, method: str, streams: bool) -> Behaviour:
    if inspect.iscoroutinefunction(behaviour):
        return _around_coroutine(behaviour, method)
    if inspect.isasyncgenfunction(behaviour):
        return _around_async_generator(behaviour, method)
    return _around(behaviour, method, streams)


def _around_coroutine(behaviour: Behaviour, method: str) -> Behaviour:
    async def answer(request: Any, context: Any) -> Any:
        with named_work(method):
            async with OwnThread():
                return await behaviour(request, context)

    return answer


def _around_async_generator(behaviour: Behaviour, method: str) -> Behaviour:
    async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
        with named_work(method):
            async with OwnThread(), aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    yield response

    return answer
