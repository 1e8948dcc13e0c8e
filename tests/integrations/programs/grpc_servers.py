"""Real gRPC servers, synchronous and asynchronous, called over a real channel."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
from asgiref.sync import sync_to_async
from tests.integrations.programs.watch import ask, kill_all, say, state, wait_until

from django_lifeline.integrations.grpc import (
    AsyncConnectionScopeInterceptor,
    ConnectionScopeInterceptor,
)

PATIENCE = 20
LONG = "x" * 100_000
meet = threading.Barrier(2)
sent: list[int] = []
ended: list[str] = []
unretrieved: list[str] = []


def echo(request: bytes, context: Any) -> bytes:
    return str(ask(request.decode())).encode()


def together(request: bytes, context: Any) -> bytes:
    """Answer when two calls are in the database at the same time."""
    ask()
    meet.wait(PATIENCE)
    return echo(request, context)


def refuse(request: bytes, context: Any) -> bytes:
    ask()
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    raise AssertionError


def count(request: bytes, context: Any) -> Iterator[bytes]:
    for number in range(3):
        yield str(ask(number)).encode()


def join(requests: Iterator[bytes], context: Any) -> bytes:
    return b"".join(echo(request, context) for request in requests)


def endless(request: bytes, context: Any) -> Iterator[bytes]:
    try:
        while True:
            yield str(ask(LONG)).encode()
            sent.append(1)
    finally:
        ended.append(ask("ended"))


def chat(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield echo(request, context)


async def aecho(request: bytes, context: Any) -> bytes:
    return await sync_to_async(echo)(request, context)


async def atogether(request: bytes, context: Any) -> bytes:
    return await sync_to_async(together)(request, context)


async def arefuse(request: bytes, context: Any) -> bytes:
    await sync_to_async(ask)()
    await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    raise AssertionError


async def acount(request: bytes, context: Any) -> AsyncIterator[bytes]:
    for number in range(3):
        yield str(await sync_to_async(ask)(number)).encode()


async def ajoin(requests: AsyncIterator[bytes], context: Any) -> bytes:
    return b"".join([await aecho(request, context) async for request in requests])


async def aendless(request: bytes, context: Any) -> AsyncIterator[bytes]:
    try:
        while True:
            yield str(await sync_to_async(ask)(LONG)).encode()
            sent.append(1)
    finally:
        ended.append(await sync_to_async(ask)("ended"))


async def achat(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield await aecho(request, context)


def handlers(*behaviours: Any) -> tuple[Any]:
    """One service with all of them, under the names of the synchronous ones."""
    unary, crowd, refusing, stream, joining, unending, chatting = behaviours
    return (
        grpc.method_handlers_generic_handler(
            "quotes",
            {
                "echo": grpc.unary_unary_rpc_method_handler(unary),
                "together": grpc.unary_unary_rpc_method_handler(crowd),
                "refuse": grpc.unary_unary_rpc_method_handler(refusing),
                "count": grpc.unary_stream_rpc_method_handler(stream),
                "join": grpc.stream_unary_rpc_method_handler(joining),
                "endless": grpc.unary_stream_rpc_method_handler(unending),
                "chat": grpc.stream_stream_rpc_method_handler(chatting),
                "plain": grpc.unary_unary_rpc_method_handler(echo),
            },
        ),
    )


SYNC = (echo, together, refuse, count, join, endless, chat)
ASYNC = (aecho, atogether, arefuse, acount, ajoin, aendless, achat)


@contextmanager
def sync_server(*interceptors: Any) -> Iterator[int]:
    """A server whose four threads do the work."""
    executor = concurrent.futures.ThreadPoolExecutor(4)
    server = grpc.server(executor, handlers=handlers(*SYNC), interceptors=interceptors)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(PATIENCE).wait()
        executor.shutdown()


@contextmanager
def async_server(*interceptors: Any) -> Iterator[int]:
    """A server in an event loop, in a thread of its own."""
    ready: concurrent.futures.Future[int] = concurrent.futures.Future()
    finish = asyncio.Event()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, told: unretrieved.append(str(told["message"])))

    async def serve() -> None:
        pool = concurrent.futures.ThreadPoolExecutor(2)
        server = grpc.aio.server(
            migration_thread_pool=pool, handlers=handlers(*ASYNC), interceptors=interceptors
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        ready.set_result(port)
        await finish.wait()
        await server.stop(PATIENCE)
        pool.shutdown()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield ready.result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(finish.set)
        thread.join()
        loop.close()


def calls(port: int, *, crowd: bool = True) -> dict[str, Any]:
    """Call everything, lose all connections, and call again."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def unary(name: str, text: str) -> str:
            method = channel.unary_unary(f"/quotes/{name}")
            return str(method(text.encode(), timeout=PATIENCE).decode())

        said: dict[str, Any] = {"echo": unary("echo", "one"), "plain": unary("plain", "two")}
        said["killed"] = kill_all() > 0
        said["after"] = unary("echo", "three")
        words = iter([b"a", b"b"])
        said["count"] = b"".join(channel.unary_stream("/quotes/count")(b"")).decode()
        said["join"] = channel.stream_unary("/quotes/join")(words).decode()
        said["chat"] = b"".join(channel.stream_stream("/quotes/chat")(iter([b"c"]))).decode()
        if crowd:
            method = channel.unary_unary("/quotes/together")
            both = [method.future(text, timeout=PATIENCE) for text in (b"left", b"right")]
            said["together"] = [future.result().decode() for future in both]
        try:
            unary("refuse", "")
        except grpc.RpcError as error:
            said["refused"] = error.code().name
        try:
            unary("nothing", "")
        except grpc.RpcError as error:
            said["unknown"] = error.code().name
    return said


def cancelled(port: int) -> str:
    """Cancel a stream whose server waits for us to read on; what its handler does then."""
    ended.clear()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = channel.unary_stream("/quotes/endless")(b"")
        next(stream)
        wait_until(stalled, "for the stream to be full")
        stream.cancel()
        wait_until(lambda: ended, "for the stream to end")
    gc.collect()
    return ended[0]


def stalled() -> bool:
    """Whether nothing was sent for a moment."""
    before = len(sent)
    time.sleep(0.05)
    return len(sent) == before


def with_interceptor(start: Any, interceptor: Any) -> dict[str, Any]:
    """The calls; the wait is for the last one, which ends a moment after its answer is here."""
    with start(interceptor) as port:
        said = calls(port)
        said["cancelled"] = cancelled(port)
        wait_until(lambda: not state()["used"], "for the calls to give back")
    gc.collect()
    said["unretrieved"] = unretrieved
    return said


def without(start: Any) -> bool:
    """The calls without the interceptor; whether the pool's connections are in idle hands."""
    with start() as port:
        said = calls(port, crowd=False)
        held = state()["used"] > 0
        return held and said["after"] == "three"


def main() -> None:
    say(
        {
            "sync": with_interceptor(sync_server, ConnectionScopeInterceptor()),
            "async": with_interceptor(async_server, AsyncConnectionScopeInterceptor()),
            "without": [without(sync_server), without(async_server)],
        }
    )


if __name__ == "__main__":
    main()
