"""An ASGI site: Django's asynchronous views, and a WebSocket consumer beside them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from tests.integrations.programs.watch import ask, state

from django_lifeline.integrations.asgi import ConnectionScopeMiddleware, database_sync_to_async

OURS = os.environ["INSTALL"] == "yes"
in_another_thread = database_sync_to_async if OURS else sync_to_async


async def view(request: HttpRequest) -> JsonResponse:
    """Ask in the request's own thread and in another one."""
    tag = request.GET["tag"]
    here = await sync_to_async(ask)(tag)
    elsewhere = await in_another_thread(ask, thread_sensitive=False)(tag)
    return JsonResponse({"here": here, "elsewhere": elsewhere})


async def look(request: HttpRequest) -> JsonResponse:
    """How many connections are in somebody's hands while this asks for none."""
    return JsonResponse({"used": state()["used"]})


waiting = asyncio.Barrier(2)


async def consumer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Echo each message through the database; "together" waits for another one that says so."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message["text"]
        answer = await sync_to_async(ask)(text)
        if text == "together":
            await asyncio.wait_for(waiting.wait(), 20)
        if text == "fail":
            raise LookupError(text)
        await send({"type": "websocket.send", "text": answer})


urlpatterns = [path("", view), path("look", look)]
settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["*"]
settings.SECRET_KEY = "not a secret"
django = get_asgi_application()


async def site(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """HTTP goes to Django, WebSockets to the consumer."""
    if scope["type"] == "http":
        await django(scope, receive, send)
    elif scope["type"] == "websocket":
        await consumer(scope, receive, send)
    else:
        raise ValueError(scope["type"])


application = ConnectionScopeMiddleware(site) if OURS else site
