"""A real uvicorn with asynchronous views and WebSockets that stay open."""

from __future__ import annotations

from typing import Any

from tests.integrations.conftest import Run, needs


def visited(run: Run, installed: str) -> Any:
    for module in ("uvicorn", "wsproto", "websocket"):
        needs(module, module)
    said = run("asgi_visits", INSTALL=installed)
    # The idle loss is healed either way; a consumer that fails takes nobody else with it.
    assert said["killed"]
    assert said["view"] == {"here": "a", "elsewhere": "a"}
    assert said["view_after"] == {"here": "b", "elsewhere": "b"}
    assert said["talk"] == ["hello 0", "hello 1", "together", "together", "going on"]
    return [said[moment] for moment in ("after_view", "while_sockets_wait", "at_the_end")]


def test_open_websockets_and_other_threads_hold_no_connections(run: Run) -> None:
    assert visited(run, "yes") == [0, 0, 0]


def test_without_the_middleware_they_survive_and_hold_connections(run: Run) -> None:
    assert all(visited(run, "no"))
