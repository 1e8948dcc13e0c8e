"""``status --url`` asks a page of ``django_lifeline.health``, and believes no other."""

from __future__ import annotations

import argparse
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from django_lifeline.diagnosis.usage import UsageError
from django_lifeline.panel import asking, status

Asked = Callable[..., tuple[int, str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """``asked(503, {...})``: what the command makes of such an answer."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")  # nothing listens there
    answer: dict[str, Any] = {}

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/health/ready/"

        def ask(code: int, body: object) -> tuple[int, str]:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer.update(status=code, body=raw)
            out = io.StringIO()
            ended = status.run(argparse.Namespace(url=url), out)
            return ended, out.getvalue().replace(url, "page")

        yield ask
        server.shutdown()
        thread.join()


def test_ready_process_ends_with_status_0_and_its_databases_are_told(asked: Asked) -> None:
    said = {"ready": True, "databases": {"default": "ok", "old": "unused"}}
    assert asked(200, said) == (0, "default ok\nold unused\npage: ready\n")


def test_process_that_is_not_ready_ends_with_status_1(asked: Asked) -> None:
    said = {"ready": False, "databases": {"default": "away"}}
    assert asked(503, said) == (1, "default away\npage: not ready\n")


def test_page_of_life_is_read_too(asked: Asked) -> None:
    assert asked(200, {"live": True}) == (0, "page: ready\n")


def test_status_of_a_proxy_counts_whatever_the_page_says(asked: Asked) -> None:
    assert asked(502, {"ready": True})[0] == 1


def test_words_of_others_are_not_passed_on(asked: Asked) -> None:
    said = {"ready": True, "databases": {"default": "<b>"}}
    assert asked(200, said) == (0, "default unknown\npage: ready\n")


@pytest.mark.parametrize("body", [b"hello", b"\xff", [], {"status": "up"}, b""])
def test_another_page_is_no_proof(asked: Asked, body: object) -> None:
    assert asked(200, body) == (
        1,
        "page answers with 200, and is no page of django_lifeline.health.\n",
    )


def test_host_that_is_not_allowed_shows_by_its_status(asked: Asked) -> None:
    assert "answers with 400" in asked(400, b"<h1>Bad Request (400)</h1>")[1]


def test_no_answer_is_not_ready() -> None:
    out = io.StringIO()
    assert not asking.ask("http://127.0.0.1:9/health/ready/", out)
    assert "does not answer: [Errno 111]" in out.getvalue()


@pytest.mark.parametrize(
    "url",
    [
        "http://shop:secret@localhost/health/ready/",
        "file:///secret",
        "secret",
        "http://",
        "http://localhost:secret/",
        "http://[secret/",
    ],
)
def test_address_that_cannot_be_asked_is_refused_without_its_words(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        asking.ask(url, io.StringIO())
    assert "secret" not in str(refused.value)
