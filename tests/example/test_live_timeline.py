"""How the timeline stays live in a real browser while the site fails, hangs and comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.example.conftest import EXAMPLE
from tests.fixtures.drivers import eventually

pytestmark = [pytest.mark.slow]
PAGE = b"""<!doctype html><title>t</title><i id="live">live</i>
<div id="timeline" data-source="/live" data-every="50"><p>before</p></div>
<form onsubmit="return false"><button>Send now</button></form>
<script src="/timeline.js"></script>"""
SCRIPT = (EXAMPLE / "static" / "timeline.js").read_bytes()
HIDE = """Object.defineProperty(document, "hidden", {value: arguments[0], configurable: true});
document.dispatchEvent(new Event("visibilitychange"))"""
NO_ANSWER, ERROR = "The site does not answer.", "with an error: OperationalError 2006."


class Site(ThreadingHTTPServer):
    """Answers as it is told, and counts."""

    rows = "<p>now</p>"
    failing = ""
    asked = at_once = most_at_once = 0
    may_answer = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path == "/live":
            self._live()
        elif self.path == "/timeline.js":
            self._say(200, SCRIPT, "text/javascript")
        else:
            self._say(200, PAGE)

    def _live(self) -> None:
        site = self.server
        site.asked += 1
        site.at_once += 1
        site.most_at_once = max(site.most_at_once, site.at_once)
        site.may_answer.wait(10)
        site.at_once -= 1
        # It carries a new token each time, as the answer to staff does.
        token = f'<input type="hidden" name="csrfmiddlewaretoken" value="{site.asked}">'
        if site.failing == "error":
            self._say(500, b"", "OperationalError 2006")
        elif not site.failing:
            self._say(200, f"{site.rows}<form>{token}</form>".encode())

    def _say(self, status: int, body: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Error", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Site]:
    with Site(("127.0.0.1", 0), Handler) as site:
        site.may_answer.set()
        thread = threading.Thread(target=site.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield site
        finally:
            site.may_answer.set()
            site.shutdown()
            thread.join()


def test_live_timeline_tells_failures_in_words_comes_back_and_never_piles_up(browser: Any) -> None:
    def text(name: str) -> str:
        return str(browser.execute_script(f"return document.getElementById('{name}').innerText"))

    with serving() as site:
        browser.get(f"http://127.0.0.1:{site.server_port}/")
        eventually(lambda: text("timeline").strip() == "now")

        # What did not change is left alone, so that it can be selected.
        browser.execute_script("window.row = document.querySelector('#timeline p')")
        asked = site.asked
        eventually(lambda: site.asked > asked + 2)
        assert browser.execute_script("return row.isConnected")

        for failing, words in (("error", ERROR), ("no answer", NO_ANSWER)):
            site.failing = failing
            eventually(lambda words=words: words in text("live"))
            assert "trying again" in text("live") and text("timeline").strip() == "now"

        site.failing, site.rows = "", "<p>later</p>"
        eventually(lambda: text("timeline").strip() == "later" and text("live") == "live")
        assert site.most_at_once == 1

        # A server that takes the question and is silent.
        site.may_answer.clear()
        eventually(lambda: text("live").startswith(NO_ANSWER))
        site.may_answer.set()
        eventually(lambda: text("live") == "live" and site.at_once == 0)

        # Hidden while a question is on its way: it is the last one until somebody looks again.
        site.may_answer.clear()
        eventually(lambda: site.at_once == 1)
        browser.execute_script(HIDE, True)
        site.may_answer.set()
        eventually(lambda: site.at_once == 0)
        asked = site.asked
        browser.execute_async_script("setTimeout(arguments[0], 300)")
        assert site.asked == asked
        browser.execute_script(HIDE, False)
        eventually(lambda: site.asked > asked + 3)

        browser.find_element("tag name", "button").click()
        eventually(lambda: not browser.find_element("tag name", "button").is_enabled())
