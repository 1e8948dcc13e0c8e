"""Real gRPC servers and calls: every kind of method, an idle loss, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integrations.conftest import Run, needs


@pytest.fixture(scope="module")
def said(run: Run) -> Any:
    needs("grpc", "grpcio")
    return run("grpc_servers")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_calls_of_every_kind_give_back_and_survive_an_idle_loss(said: Any, kind: str) -> None:
    assert said[kind] == {
        "echo": "one",
        "plain": "two",
        "killed": True,
        "after": "three",
        "count": "012",
        "join": "ab",
        "chat": "c",
        # Two asynchronous calls too are in the database at the same time.
        "together": ["left", "right"],
        # A call whose caller has gone ends as any other.
        "cancelled": "ended",
        "unretrieved": [],
        "refused": "NOT_FOUND",
        "unknown": "UNIMPLEMENTED",
    }


def test_without_the_interceptor_calls_survive_and_hold_their_connections(said: Any) -> None:
    assert said["without"] == [True, True]
