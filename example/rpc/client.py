"""Asks the RPC service."""

from __future__ import annotations

import grpc
from django.conf import settings

from rpc import market_pb2, market_pb2_grpc

TIMEOUT = 10.0


class Failed(Exception):
    """The service answered with an error, or not at all."""


def exists(symbol: str) -> bool:
    """Whether the service knows the symbol. A channel for each question: workers may fork."""
    with grpc.insecure_channel(f"127.0.0.1:{settings.RPC_PORT}") as channel:
        try:
            asked = market_pb2.Symbol(name=symbol)
            return market_pb2_grpc.MarketStub(channel).Exists(asked, timeout=TIMEOUT).exists
        except grpc.RpcError as error:
            raise Failed(f"RPC {error.code().name}: {error.details()}") from error
