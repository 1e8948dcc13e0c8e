"""The doctor's page in a real browser, as a reader sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.browser import DESK, WIDER_THAN_ITS_WINDOW, as_on_a_phone

from django_lifeline.commands import main
from django_lifeline.diagnosis.pages import address

pytestmark = [pytest.mark.server, pytest.mark.slow]
COUNTED = ("--processes", "8", "--threads", "4")


def test_reader_sees_findings_and_changes_on_a_desk_and_on_a_phone(
    browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "doctor.html"
    dsn = "mysql://app:the-password@127.0.0.1:1/shop?pool=5&ENGINE=django_lifeline.backends.mysql"
    assert main(["doctor", "--dsn", dsn, "--html", str(page), *COUNTED]) == 1

    browser.set_window_size(*DESK)
    browser.get(page.as_uri())
    assert "1 critical finding, 1 error" in browser.find_element("css selector", ".lead.bad").text
    titles = [title.text for title in browser.find_elements("css selector", "article h3")]
    assert titles == ["The server cannot be reached", "An option is wrong"]
    article = browser.find_element("css selector", "article.bad")
    assert "lifeline.D701" in article.text and "127.0.0.1:1" in article.text
    assert "HOST and PORT" in article.find_element("css selector", "pre").text
    assert "8 × 4 threads" in browser.find_element("css selector", ".facts").text
    article.find_element("css selector", "summary").click()
    link = article.find_element("css selector", "a")
    assert link.get_attribute("href").startswith(address("doctor", "d701-"))

    assert "the-password" not in browser.page_source
    assert not browser.execute_script(WIDER_THAN_ITS_WINDOW)
    as_on_a_phone(browser)
    assert not browser.execute_script(WIDER_THAN_ITS_WINDOW)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
