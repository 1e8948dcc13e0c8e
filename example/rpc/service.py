"""A service that is asked over gRPC: no HTTP, so none of Django's request signals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from django.db import Error

from autoemail.errors import name_of
from markets.models import Quote
from pulse import note
from rpc import market_pb2, market_pb2_grpc

THREADS = 4


def answered(method: Callable[..., Any]) -> Callable[..., Any]:
    """Tell the caller the number of a database error, instead of "unknown"."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Error as error:
            note("error", who="rpc", error=name_of(error))
            context.abort(grpc.StatusCode.INTERNAL, name_of(error))

    return answer


class Market(market_pb2_grpc.MarketServicer):
    @answered
    def Quote(self, request: Any, context: grpc.ServicerContext) -> Any:
        quote = Quote.objects.filter(symbol=request.name).order_by("-day").first()
        if quote is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no quotes of this symbol")
        return market_pb2.Price(name=quote.symbol, day=str(quote.day), price=str(quote.price))

    @answered
    def Exists(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = Quote.objects.filter(symbol=request.name).exists()
        return market_pb2.Answer(exists=found)


def server(port: int) -> grpc.Server:
    """A server on this machine's own address, not yet started."""
    made = grpc.server(ThreadPoolExecutor(THREADS))
    market_pb2_grpc.add_MarketServicer_to_server(Market(), made)
    made.add_insecure_port(f"127.0.0.1:{port}")
    return made
