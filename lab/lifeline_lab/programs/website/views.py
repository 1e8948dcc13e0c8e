"""The views: a page of prices, a slow report, the same asynchronously, one without a database."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from lifeline_lab.programs.office.models import Gold, Timeline


def golds(request: HttpRequest) -> HttpResponse:
    """Show the prices."""
    prices = Gold.objects.order_by("id").values_list("price", flat=True)
    return JsonResponse({"golds": list(prices)})


def report(request: HttpRequest) -> HttpResponse:
    """Run a query that takes 50 ms."""
    return JsonResponse({"tag": slow_query(request.GET["tag"])})


async def report_async(request: HttpRequest) -> HttpResponse:
    """The same from an async view, and a visit noted with the asynchronous ORM.

    The query takes half a second: a slow client needs that long to open twenty connections.
    """
    tag = await sync_to_async(slow_query)(request.GET["tag"], seconds=0.5)
    await Timeline.objects.acreate(task="visit", note=tag)
    return JsonResponse({"tag": tag})


def slow_query(tag: str, seconds: float = 0.05) -> str:
    """Ask the database for this tag, slowly."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(%s), %s", [seconds, tag])
        return str(cursor.fetchone()[1])


def ping(request: HttpRequest) -> HttpResponse:
    """Answer without a database, as a load balancer's health check wants it."""
    return HttpResponse("pong")
