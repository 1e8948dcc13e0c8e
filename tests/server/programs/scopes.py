"""`connection_scope` round everything that Python can call."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.db.utils import ConnectionDoesNotExist
from tests.server.programs.toolbox import Row, create_table, database, forget, in_thread, one, say

from django_lifeline import connection_scope, pools

A, B = database("a", "lifeline"), database("b", "lifeline", OPTIONS={"pool": {"max_size": 3}})
database("not_ours", "stock")


def held(*aliases: str) -> list[bool]:
    """Whether this thread holds a connection of each, and has not given it back."""
    holds = [connections[alias]._hold for alias in aliases]
    return [hold is not None and not hold.returned for hold in holds]


def query(alias: str = A) -> int:
    return int(one(alias, "SELECT 7"))


def plain() -> Any:
    @connection_scope()
    def work(a: int, /, b: int = 2, *args: int, c: int, **kw: int) -> list[Any]:
        """Its own words."""
        query(A)
        query(B)
        return [a, b, args, c, kw, held(A, B)]

    inside = work(1, 3, 4, c=5, d=6)
    return [inside, held(A, B), work.__name__, work.__doc__, str(inspect.signature(work))]


def without_parentheses() -> Any:
    @connection_scope
    def work() -> int:
        return query()

    return [work(), held(A)]


def with_block() -> Any:
    with connection_scope():
        query()
        inside = held(A)
    return [inside, held(A)]


def one_alias() -> Any:
    with connection_scope(B):
        query(A)
        query(B)
    after = held(A, B)
    connections[A].close()
    return after


def exceptions() -> Any:
    @connection_scope
    def work() -> None:
        query()
        raise LookupError("mine")

    try:
        work()
    except LookupError as error:
        return [str(error), held(A)]
    return "nothing raised"


def nested() -> Any:
    inner = connection_scope(query)

    with connection_scope():
        inner()
        between = held(A)
        with connection_scope(A):
            query()
        still = held(A)
    return [between, still, held(A)]


def recursive() -> Any:
    depth: list[list[bool]] = []

    @connection_scope
    def work(levels: int) -> None:
        query()
        if levels:
            work(levels - 1)
        depth.append(held(A))

    work(2)
    return [depth, held(A)]


def inside_atomic() -> Any:
    with transaction.atomic(A):
        Row.objects.using(A).create(tag="scope")
        with connection_scope():
            query()
        kept = held(A)
        Row.objects.using(A).create(tag="scope")
    rows = Row.objects.using(A).filter(tag="scope").count()
    connections[A].close()
    return [kept, rows]


def round_atomic() -> Any:
    @connection_scope
    @transaction.atomic(A)
    def work() -> None:
        Row.objects.using(A).create(tag="round")

    work()
    return [held(A), Row.objects.using(A).filter(tag="round").count()]


def generator() -> Any:
    connections[A].close()

    @connection_scope
    def numbers(count: int) -> Iterator[int]:
        for _ in range(count):
            yield query()

    running = numbers(3)
    first = next(running)
    inside = held(A)
    rest = list(running)
    after = held(A)
    stopped = numbers(3)
    next(stopped)
    stopped.close()
    return [first, inside, rest, after, held(A), inspect.isgeneratorfunction(numbers)]


def generator_sent_to() -> Any:
    @connection_scope
    def echo() -> Any:
        got = yield query()
        try:
            yield got
        except LookupError:
            yield "caught"
        return "returned"

    running = echo()
    said = [next(running), running.send(5), running.throw(LookupError())]
    try:
        next(running)
    except StopIteration as stop:
        said.append(stop.value)
    return [*said, held(A)]


def method() -> Any:
    class Work:
        factor = 3

        @connection_scope(using=A)
        def run(self, number: int) -> int:
            return query() * number * self.factor

        @classmethod
        @connection_scope
        def named(cls) -> str:
            return f"{cls.__name__} {query()}"

        @staticmethod
        @connection_scope
        def alone() -> int:
            return query()

    return [Work().run(2), Work.named(), Work.alone(), held(A)]


def callables() -> Any:
    class Callable:
        def __call__(self, number: int) -> int:
            return query() * number

    part = connection_scope(functools.partial(lambda a, b: query() + a + b, 1))
    return [connection_scope(Callable())(2), part(2), held(A)]


def coroutine() -> Any:
    used: list[int] = []

    @connection_scope
    async def work() -> int:
        number = await sync_to_async(query)()
        used.append(pools[A].stats().used + pools[A].stats().resting)
        return int(number) + await Row.objects.using(A).filter(tag="nobody").acount()

    async def main() -> Any:
        said = await work()
        left = await sync_to_async(lambda: held(A))()
        return [said, left]

    return [asyncio.run(main()), used, inspect.iscoroutinefunction(work)]


def coroutine_with_exception() -> Any:
    @connection_scope
    async def work() -> None:
        await sync_to_async(query)()
        raise LookupError("mine")

    async def main() -> Any:
        try:
            await work()
        except LookupError as error:
            return [str(error), await sync_to_async(lambda: held(A))()]

    return asyncio.run(main())


def async_generator() -> Any:
    @connection_scope
    async def numbers() -> AsyncIterator[int]:
        for _ in range(3):
            yield await sync_to_async(query)()

    async def main() -> Any:
        said = [number async for number in numbers()]
        return [said, await sync_to_async(lambda: held(A))()]

    return [asyncio.run(main()), inspect.isasyncgenfunction(numbers)]


def several_coroutines() -> Any:
    @connection_scope
    async def work(number: int) -> int:
        return number * int(await sync_to_async(query)())

    async def main() -> Any:
        said = await asyncio.gather(*(work(number) for number in range(5)))
        return [said, await sync_to_async(lambda: held(A))()]

    return asyncio.run(main())


def overlapping_coroutines() -> Any:
    """One ends while another still counts on what it did to the session that they share."""
    kept: list[Any] = []

    async def main() -> Any:
        begun, ended = asyncio.Event(), asyncio.Event()

        @connection_scope
        async def short() -> None:
            await begun.wait()
            await sync_to_async(query)()

        @connection_scope
        async def long() -> None:
            await sync_to_async(one)(A, "SELECT @x := 5")
            begun.set()
            await ended.wait()
            kept.append(await sync_to_async(one)(A, "SELECT @x"))

        task = asyncio.create_task(long())
        await short()
        ended.set()
        await task
        return await sync_to_async(lambda: held(A))()

    return [asyncio.run(main()), kept]


def unknown_alias() -> Any:
    said = []
    for call in (lambda: connection_scope("no_such").__enter__(), lambda: pools["no_such"]):
        try:
            call()
            said.append("nothing raised")
        except ConnectionDoesNotExist as error:
            said.append("no_such" in str(error))
    return said


def other_engines() -> Any:
    with connection_scope("not_ours"):
        one("not_ours", "SELECT 7")
    try:
        pools["not_ours"]
    except TypeError as error:
        refused = str(error)
    return [connections["not_ours"].connection is not None, refused, sorted(pools)]


def threads() -> Any:
    @connection_scope
    def work() -> int:
        return query()

    with in_thread(work) as results:
        pass
    stats = pools[A].stats()
    return [results, stats.used, stats.resting]


def main() -> None:
    create_table()
    report = {}
    for check in (
        plain,
        without_parentheses,
        with_block,
        one_alias,
        exceptions,
        nested,
        recursive,
        inside_atomic,
        round_atomic,
        generator,
        generator_sent_to,
        method,
        callables,
        coroutine,
        coroutine_with_exception,
        async_generator,
        several_coroutines,
        overlapping_coroutines,
        unknown_alias,
        other_engines,
        threads,
    ):
        try:
            report[check.__name__] = check()
        except Exception as error:
            report[check.__name__] = repr(error)
        forget(A)
        forget(B)
    say(report)


if __name__ == "__main__":
    main()
