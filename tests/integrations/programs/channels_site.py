"""A site of Channels: real consumers of each kind, with its in-memory layer."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from tests.integrations.programs.watch import ask, state

from django_lifeline.integrations.asgi import ConnectionScopeConsumer, ConnectionScopeMiddleware

settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
INSTALL = os.environ["INSTALL"] == "yes"
meeting = threading.Barrier(2)


class Asynchronous(AsyncWebsocketConsumer):
    """Asks as Channels' documentation says."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(await database_sync_to_async(ask)(text_data))


class Orm(AsyncWebsocketConsumer):
    """Asks as Django's asynchronous ORM does."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(await sync_to_async(ask)(text_data))


class Synchronous(WebsocketConsumer):
    """Asks in Channels' `SyncConsumer`."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(ask(text_data))


class Together(AsyncWebsocketConsumer):
    """Says whether another one could be in the database at the same time."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(await database_sync_to_async(meet)(text_data))


def meet(text: str) -> str:
    """Ask, and wait for somebody who does the same in another thread, where there are others."""
    ask(text)
    try:
        meeting.wait(20 if INSTALL else 0.1)
    except threading.BrokenBarrierError:
        return "alone"
    return "together"


class News(AsyncWebsocketConsumer):
    """Is pushed to: what one says is asked for and sent by all."""

    groups = ("readers",)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send(self.groups[0], {"type": "tell", "text": text_data})

    async def tell(self, event: dict[str, Any]) -> None:
        """Handle a message of the layer."""
        await self.send(await sync_to_async(ask)(event["text"]))


class ScopedNews(ConnectionScopeConsumer, News):
    """The same, and gives back after each push."""

    groups = ("scoped-readers",)


class Pauses(AsyncWebsocketConsumer):
    """Asks as the asynchronous ORM does, waits for something else, and asks again."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(await sync_to_async(ask)(text_data))
        await asyncio.wait_for(resumed.wait(), 20)
        await self.send(await sync_to_async(ask)("after the pause"))


resumed = asyncio.Event()
CONSUMERS = {
    "asynchronous": Asynchronous,
    "orm": Orm,
    "synchronous": Synchronous,
    "together": Together,
    "news": News,
    "scoped_news": ScopedNews,
    "pauses": Pauses,
}


async def look(request: HttpRequest) -> JsonResponse:
    """How many connections are in somebody's hands, and how many threads there are."""
    return JsonResponse({**state(), "threads": threading.active_count()})


async def resume(request: HttpRequest) -> JsonResponse:
    """End the pause."""
    resumed.set()
    return JsonResponse({})


urlpatterns = [path("look", look), path("resume", resume)]
settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["*"]
settings.SECRET_KEY = "not a secret"

site = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path(name, it.as_asgi()) for name, it in CONSUMERS.items()]),
    }
)
application = ConnectionScopeMiddleware(site) if INSTALL else site
