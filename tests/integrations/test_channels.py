"""Real consumers of Channels under real ASGI servers, with Django's own engine and with ours."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integrations.conftest import Run, needs

STOCK = "django.db.backends.mysql"
SURVIVED = {
    "asynchronous": ["before", "after"],
    "orm": ["before", "after"],
    "synchronous": ["before", "after"],
    "pauses": ["before", "after the pause"],
    "news": ["first", "first", "second", "second"],
}


@pytest.fixture
def talk(run: Run) -> Run:
    for module in ("channels", "daphne", "uvicorn", "websocket", "wsproto"):
        needs(module, module)

    def call(server: str, installed: str, **more: Any) -> Any:
        return run("channels_talks", SERVER=server, INSTALL=installed, **more)

    return call


def test_consumers_of_stock_django_die_with_their_persistent_connection(talk: Run) -> None:
    said = talk("uvicorn", "no", database={"engine": STOCK, "CONN_MAX_AGE": 600})
    assert said.pop("errors") > 0
    # The second may come off: after a failure Channels closes the connection that all share.
    assert "gone" in said.pop("news")
    assert said == {name: ["before", "gone"] for name in said}


def test_consumers_of_stock_django_without_persistence_die_in_a_pause(talk: Run) -> None:
    said = talk("uvicorn", "no", database={"engine": STOCK, "CONN_MAX_AGE": 0})
    assert said.pop("errors") > 0
    assert said == SURVIVED | {"pauses": ["before", "gone"]}


def test_consumers_survive_without_the_middleware_one_at_a_time(talk: Run) -> None:
    said = talk("uvicorn", "no", CROWD=1)
    assert said.pop("together") == ["alone", "alone"]
    crowd = said.pop("crowd")
    # Channels' own database_sync_to_async gives back; the asynchronous ORM keeps the one it has.
    assert {name: found["used"] for name, found in crowd.items()} == {
        "asynchronous": 0,
        "orm": 1,
        "news": 1,
        "scoped_news": 0,
    }
    assert said.pop("polite") == [True, False]
    assert said == SURVIVED | {"errors": 0}


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_with_the_middleware_thirty_that_wait_hold_no_connections_and_no_threads(
    talk: Run, server: str
) -> None:
    limited = {"options": {"pool": {"max_size": 10}}}
    said = talk(server, "yes", CROWD=1, database=limited)
    crowd = said.pop("crowd")
    # The middleware does not see what comes from a channel layer: bounded, but held.
    news = crowd.pop("news")
    assert 0 < news.pop("used") <= 10
    assert news == {"right": True, "sessions_are_few": True, "threads_are_few": False}
    had_some, polite = said.pop("polite")
    # Daphne does not tell an application that it ends.
    assert had_some and (polite or server == "daphne")
    nothing = {"right": True, "used": 0, "sessions_are_few": True, "threads_are_few": True}
    assert said == SURVIVED | {
        "together": ["together", "together"],
        "errors": 0,
    }
    assert crowd == dict.fromkeys(("asynchronous", "orm", "scoped_news"), nothing)
