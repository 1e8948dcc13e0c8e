"""The whole site in a real browser: every trouble, with both engines.

``EXAMPLE_IMAGES=docs/images`` has the tests take the pictures that the docs show.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.example.conftest import Running
from tests.fixtures.browser import WIDER_THAN_ITS_WINDOW, as_on_a_phone
from tests.fixtures.drivers import eventually

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.slow]
TROUBLES = ("timeout", "kill", "restart", "crash", "fork", "packet", "fill")
CSS = "css selector"
PAST_THE_EDGE = """return [...document.querySelectorAll("main *")].some(
    (it) => it.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"""
WINDOW = (1280, 1080)
PATIENCE = 40


class Page:
    """What somebody does with the site."""

    def __init__(self, browser: Any, site: Running) -> None:
        self.browser, self.site = browser, site

    def log_in(self) -> None:
        self.browser.get(self.site.address + "trouble/")
        self.browser.find_element("name", "username").send_keys("staff")
        self.browser.find_element("name", "password").send_keys(self.site.password)
        self.browser.find_element(CSS, "[type=submit]").click()
        eventually(lambda: self.text("#log"))

    def text(self, selector: str) -> str:
        """What stands there; nothing where there is no such place, as on a broken page."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.browser.execute_script(script, selector))

    def make(self, trouble: str) -> tuple[str, str]:
        """Make a trouble by its button; return the verdict and all that is told of it."""
        before = len(self.browser.find_elements(CSS, "#log > li[data-verdict]"))
        self.browser.find_element(CSS, f"[data-trouble={trouble}] button").click()
        done = "#log > li[data-verdict]"
        eventually(lambda: len(self.browser.find_elements(CSS, done)) > before, PATIENCE)
        item = self.browser.find_element(CSS, "#log > li")
        assert item.get_attribute("data-trouble") == trouble
        return item.get_attribute("data-verdict"), item.text

    def schedule(self, wanted: str) -> None:
        eventually(lambda: wanted in self.text("#schedule"), PATIENCE)

    def number(self, series: str) -> int:
        return int(self.text(f"[data-series={series}] b"))

    def run_morning_job(self) -> None:
        """Press the button; load the page again where it breaks, as visitors do."""

        def pressed() -> bool:
            self.browser.get(self.site.address)
            for button in self.browser.find_elements(CSS, "#morning"):
                button.click()
                eventually(lambda: self.text(".message") or self.text("#error"))
                return "queued" in self.text(".message")
            return False

        eventually(pressed, PATIENCE)

    def send_slowly(self) -> None:
        """Send now what takes the SMTP server some seconds."""
        # In one step: the page may put a new button in this one's place at any moment.
        self.browser.execute_script(
            """[...document.querySelectorAll("article")]
            .find((it) => it.innerText.includes("slow")).querySelector("button").click()"""
        )

    def fits(self) -> bool:
        """Whether no page is wider than the window, nor anything on it."""
        for path in ("markets/golds/", "mail/arrived/", "trouble/", ""):
            self.browser.get(self.site.address + path)
            if any(map(self.browser.execute_script, (WIDER_THAN_ITS_WINDOW, PAST_THE_EDGE))):
                return False
        return True

    def picture(self, folder: Path, name: str) -> None:
        self.browser.execute_script("scrollTo(0, 0)")
        file = Path(os.environ.get("EXAMPLE_IMAGES", folder)) / f"example-{name}.png"
        assert self.browser.save_screenshot(str(file))


@pytest.fixture
def page(browser: Any, start_example: Callable[..., Running]) -> Callable[..., Page]:
    """``page("--arm", "stock")``: logged in, at the trouble panel."""

    def open_page(*choices: str) -> Page:
        opened = Page(browser, start_example(*choices))
        browser.set_window_size(*WINDOW)
        opened.log_in()
        seconds = browser.find_element("name", "seconds")
        seconds.clear()
        seconds.send_keys("1")
        return opened

    return open_page


def test_with_lifeline_the_site_survives_every_trouble_and_the_mail_goes_out(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    site = page("--arm", "lifeline")
    told = {trouble: site.make(trouble) for trouble in TROUBLES}
    assert {trouble: verdict for trouble, (verdict, _) in told.items()} == dict.fromkeys(
        TROUBLES, "survived"
    ), told
    assert "PacketTooLarge" in told["packet"][1]
    site.schedule("running")
    eventually(lambda: site.number("heal") > 0)
    assert site.number("connections") > 0

    site.picture(tmp_path, "lifeline")

    site.run_morning_job()
    eventually(lambda: len(site.site.arrived()) >= 5, PATIENCE)
    site.send_slowly()
    eventually(lambda: "being sent" in site.text("#timeline"), PATIENCE)
    site.picture(tmp_path, "timeline")
    ids = [mail["message_id"] for mail in site.site.arrived()]
    assert len(set(ids)) == len(ids)

    assert site.fits()
    as_on_a_phone(site.browser)
    assert site.fits()
    assert [it for it in site.browser.get_log("browser") if it["level"] == "SEVERE"] == []


def test_with_stock_every_trouble_breaks_the_site_and_the_mail_stands_still(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    site = page("--arm", "stock", "--web", "sync")
    told = {trouble: site.make(trouble) for trouble in TROUBLES}
    assert {trouble: verdict for trouble, (verdict, _) in told.items()} == dict.fromkeys(
        TROUBLES, "broke"
    ), told
    site.schedule("Error 20")
    assert site.number("error") > 0
    assert site.number("heal") == 0
    site.picture(tmp_path, "stock")

    site.run_morning_job()
    eventually(lambda: int(site.text("#count-queued strong") or 0) >= 5, PATIENCE)
    # A heartbeat may have left before the first trouble.
    subjects = [mail["subject"] for mail in site.site.arrived()]
    assert not [subject for subject in subjects if "morning" in subject]
