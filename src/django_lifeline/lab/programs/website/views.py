"""The views: a page of prices, the same asynchronously, a slow report, one without a database."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from django_lifeline.lab.programs.office.models import Gold, Timeline


def golds(request: HttpRequest) -> HttpResponse:
    """Show the prices."""
    prices = Gold.objects.order_by("id").values_list("price", flat=True)
    return JsonResponse({"golds": list(prices)})


async def golds_async(request: HttpRequest) -> HttpResponse:
    """Show the prices, and note the visit, with the asynchronous ORM."""
    prices = [gold.price async for gold in Gold.objects.order_by("id")]
    await Timeline.objects.acreate(task="visit", note=request.GET.get("visitor", ""))
    return JsonResponse({"golds": prices})


def report(request: HttpRequest) -> HttpResponse:
    """Run a query that takes 50 ms."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(0.05), %s", [request.GET["tag"]])
        return JsonResponse({"tag": cursor.fetchone()[1]})


def ping(request: HttpRequest) -> HttpResponse:
    """Answer without a database, as a load balancer's health check wants it."""
    return HttpResponse("pong")
