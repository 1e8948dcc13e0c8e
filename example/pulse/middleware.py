"""Counts requests and those that failed."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from pulse import note


@sync_and_async_middleware
def count_requests(get_response: Any) -> Callable[..., HttpResponse | Awaitable[HttpResponse]]:
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return _count(request, await get_response(request))
    else:

        def middleware(request: HttpRequest) -> HttpResponse:
            return _count(request, get_response(request))

    return middleware


def _count(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if request.path != "/pulse.json" and not request.path.startswith("/static/"):
        note("request")
        if response.status_code >= 500:
            note("error", who="web", error=response.get("X-Error", ""))
    return response
