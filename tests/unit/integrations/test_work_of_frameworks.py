"""What work is called inside each integration. What else they do, their own tests show."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import queue
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from django_lifeline.integrations import threads
from django_lifeline.integrations.work import current_work

PATIENCE = 20
NOBODY = "MainThread"


def morning_mail(*args: Any) -> str:
    return current_work()


def test_executors_task_is_called_like_its_function() -> None:
    with threads.ThreadPoolExecutor(1) as pool:
        assert pool.submit(morning_mail).result() == "morning_mail"
        assert pool.submit(functools.partial(morning_mail, 1)).result() == "morning_mail"


def test_apschedulers_job_is_called_by_its_name() -> None:
    pytest.importorskip("apscheduler")
    from apscheduler.schedulers.background import BackgroundScheduler

    from django_lifeline.integrations.apscheduler import ThreadPoolExecutor

    heard: queue.Queue[str] = queue.Queue()
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")
    scheduler.start(paused=True)
    job = scheduler.add_job(lambda: heard.put(current_work()), name="mail of the morning")
    try:
        scheduler._lookup_executor("default").submit_job(job, [datetime.now(UTC)])
        assert heard.get(timeout=PATIENCE) == "mail of the morning"
    finally:
        scheduler.shutdown()


def test_hueys_task_is_called_by_its_name_until_it_ends() -> None:
    pytest.importorskip("huey")
    from huey import MemoryHuey

    from django_lifeline.integrations.huey import install

    app = MemoryHuey("tests")
    install(app)
    result = app.task()(morning_mail)()
    assert app.execute(app.dequeue()) == "morning_mail"
    assert result.get() == "morning_mail"
    assert current_work() == NOBODY


def test_dramatiqs_message_is_called_by_its_actor() -> None:
    dramatiq = pytest.importorskip("dramatiq")
    from dramatiq.brokers.stub import StubBroker

    from django_lifeline.integrations.dramatiq import ConnectionScopeMiddleware

    heard: list[str] = []

    def listen() -> None:
        heard.append(current_work())

    broker = StubBroker(middleware=[ConnectionScopeMiddleware()])
    actor = dramatiq.actor(listen, broker=broker, actor_name="morning mail")
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        actor.send()
        broker.join(actor.queue_name, timeout=1000 * PATIENCE)
    finally:
        worker.stop()
        broker.close()
    assert heard == ["morning mail"]


def answer(request: bytes, context: Any) -> bytes:
    return current_work().encode()


def stream(request: bytes, context: Any) -> Iterator[bytes]:
    yield current_work().encode()
    yield current_work().encode()


async def aanswer(request: bytes, context: Any) -> bytes:
    return (await sync_to_async(current_work)()).encode()


async def astream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield await aanswer(request, context)
    yield await aanswer(request, context)


def handlers(one: Any, many: Any) -> tuple[Any]:
    grpc = pytest.importorskip("grpc")
    methods = {
        "one": grpc.unary_unary_rpc_method_handler(one),
        "many": grpc.unary_stream_rpc_method_handler(many),
    }
    return (grpc.method_handlers_generic_handler("quotes", methods),)


def called(port: int) -> list[str]:
    """What the server calls its work, in a call with one answer and in one with two."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        one = channel.unary_unary("/quotes/one")(b"", timeout=PATIENCE)
        many = channel.unary_stream("/quotes/many")(b"", timeout=PATIENCE)
        return [said.decode() for said in (one, *many)]


NAMES = ["/quotes/one", "/quotes/many", "/quotes/many"]


def test_grpcs_call_is_called_by_its_method() -> None:
    grpc = pytest.importorskip("grpc")
    from django_lifeline.integrations.grpc import ConnectionScopeInterceptor

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(
            pool, handlers=handlers(answer, stream), interceptors=[ConnectionScopeInterceptor()]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            assert called(port) == NAMES
        finally:
            server.stop(None).wait()


def test_asynchronous_grpcs_call_is_called_by_its_method() -> None:
    grpc = pytest.importorskip("grpc")
    from django_lifeline.integrations.grpc import AsyncConnectionScopeInterceptor

    async def serve() -> list[str]:
        server = grpc.aio.server(
            handlers=handlers(aanswer, astream), interceptors=[AsyncConnectionScopeInterceptor()]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            return await asyncio.to_thread(called, port)
        finally:
            await server.stop(None)

    assert asyncio.run(serve()) == NAMES
