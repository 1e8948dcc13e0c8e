"""The market page, which a visitor opens now and then."""

from __future__ import annotations

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from markets.chart import chart
from markets.models import Quote
from rpc import client

DAYS = 180


def golds(request: HttpRequest) -> HttpResponse:
    quotes = list(Quote.objects.filter(symbol="GOLD").order_by("-day")[:DAYS])[::-1]
    if len(quotes) < 2:
        raise Http404("There are no quotes yet: manage.py seed")
    prices = [float(quote.price) for quote in quotes]
    month_ago = quotes[-1].day - timedelta(days=30)
    before = next(quote for quote in quotes if quote.day >= month_ago)
    change = (quotes[-1].price / before.price - 1) * 100
    context = {
        "chart": chart([quote.day for quote in quotes], prices),
        "quote": quotes[-1],
        "low": min(prices),
        "high": max(prices),
        "change": change,
        "recent": quotes[:-8:-1],
    }
    return render(request, "markets/golds.html", context)


async def golds_json(request: HttpRequest) -> JsonResponse:
    """The same rows from an async view, for ``--web asgi``.

    gunicorn's threads serve it too. A gevent worker cannot: Django's own async ORM does not work
    among greenlets, whatever the engine.
    """
    quotes = Quote.objects.filter(symbol="GOLD").order_by("-day")[:30]
    rows = [{"day": str(quote.day), "price": str(quote.price)} async for quote in quotes]
    return JsonResponse({"symbol": "GOLD", "quotes": rows})


def exists(request: HttpRequest) -> HttpResponse:
    """Asks the RPC service, and has no connection of its own to lose."""
    try:
        found = client.exists(request.GET.get("symbol", "GOLD"))
    except client.Failed as error:
        response = JsonResponse({"error": str(error)}, status=502)
        response["X-Error"] = str(error)
        return response
    return JsonResponse({"exists": found})
