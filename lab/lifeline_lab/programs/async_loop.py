"""An asyncio program with the asynchronous ORM: a bot, a consumer, a bridge."""

from __future__ import annotations

import asyncio

import django

from lifeline_lab.stage import attempt, done, pause, ready


async def main() -> None:
    """Handle a message, wait for long, handle three more at once."""
    from lifeline_lab.programs.office.models import Gold, Timeline

    async def handle(message: str) -> None:
        with attempt("message reads", wanted=3) as answer:
            answer.value = await Gold.objects.acount()
        with attempt("message saves"):
            await Timeline.objects.acreate(task="message", note=message)

    await handle("before")
    await asyncio.to_thread(pause, "no messages")
    await asyncio.gather(*(handle(f"after {number}") for number in range(3)))


if __name__ == "__main__":
    django.setup()
    ready()
    asyncio.run(main())
    done()
