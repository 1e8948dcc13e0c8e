"""The admin page "Connections": who sees it, what it shows, and how it looks in a real browser."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.browser import DESK, WIDER_THAN_ITS_WINDOW, as_on_a_phone
from tests.fixtures.drivers import eventually
from tests.integrations.conftest import Run

PICTURES = os.environ.get("LIFELINE_PICTURES")
"""A folder for the docs' picture; then losses are made for some minutes."""


@pytest.fixture(scope="module")
def said(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run("admin_page", FOLDER=tmp_path_factory.mktemp("admin"))


def test_page_is_for_staff_with_the_permission_only(said: Any) -> None:
    assert said["who"] == {
        "nobody": 302,
        "adam": [403, False],
        "eve": [200, True],
        "boss": [200, True],
    }


def test_page_shows_pools_sessions_and_losses_and_no_secret(said: Any) -> None:
    assert said["before"], "a process without connections"
    assert said["loss"]
    assert said["sessions"]
    assert said["charts"] == 3
    assert said["agrees"], "the charts' keys and the table say the same"
    assert said["crumbs"], "made as the rest of this admin"
    assert not said["secret"]


def test_page_shows_other_processes_until_they_end(said: Any) -> None:
    assert said["several"] == {
        "pid": True,
        # Its pool, its session and its loss.
        "program": 3,
        "its_loss": True,
        "agrees": True,
        "modes": ["0o600", "0o700"],
        "gone": True,
    }
    assert said["unsafe"] == "Unsafe", "a folder that others may write to"


def test_page_bears_ten_thousand_losses(said: Any) -> None:
    assert said["many"] == {
        "quick": True,
        "small": True,
        "rows": 25,
        "total": True,
        "paged": True,
        "nonsense": True,
    }


def test_page_works_while_the_database_is_down(said: Any) -> None:
    assert said["down"] == {
        "shop": "OperationalError",
        "losses": True,
        "told": True,
        "pools": True,
        "back": ["42", True],
    }


def test_page_needs_no_table_and_no_migration(said: Any) -> None:
    assert said["dumped"] == "[]"


@pytest.fixture
def port(run: Run, tmp_path: Path) -> Iterator[int]:
    """The port of a running site with two workers beside it."""
    folder = tmp_path / "site"
    folder.mkdir()
    said: list[Any] = []
    seconds = 100 if PICTURES else 0.5
    serve = threading.Thread(
        target=lambda: said.append(
            run("admin_serve", FOLDER=folder, SECONDS=seconds, timeout=seconds + 60)
        )
    )
    serve.start()
    try:
        eventually(lambda: (folder / "port").exists() or not serve.is_alive(), seconds + 30)
        yield int((folder / "port").read_text())
    finally:
        (folder / "stop").touch()
        serve.join()
    assert said == ["ended"]


def test_staff_finds_the_page_and_reads_it_on_a_desk_and_on_a_phone(
    browser: Any, port: int, tmp_path: Path
) -> None:
    def find(selector: str) -> Any:
        return browser.find_element("css selector", selector)

    # A click may return before the next page is there.
    browser.implicitly_wait(10)
    browser.set_window_size(*DESK)
    browser.get(f"http://127.0.0.1:{port}/admin/")
    find("#id_username").send_keys("eve")
    find("#id_password").send_keys("eve")
    find("[type=submit]").click()
    find(".model-connections a").click()

    assert "3 processes" in find("#lifeline > p").text
    assert find("#pools tbody").text.count("admin_worker.py") == 2
    assert "admin_worker.py" in find("#servers table").text
    assert "healed" in find("#losses tbody").text
    assert all(
        svg.size["height"] > 80 for svg in browser.find_elements("css selector", ".charts svg")
    )
    if PICTURES:
        browser.set_window_size(1400, 1500)
    picture = Path(PICTURES or tmp_path) / "admin-connections.png"
    assert browser.save_screenshot(str(picture))

    browser.set_window_size(*DESK)
    find("#losses summary").click()
    assert "wait_timeout" in find("#losses details").text
    find("[rel=next]").click()
    eventually(lambda: "Page 2 of" in browser.page_source)
    find("#lifeline > p a").click()
    assert find("meta[http-equiv=refresh]").get_attribute("content") == "5"

    as_on_a_phone(browser)
    assert not browser.execute_script(WIDER_THAN_ITS_WINDOW)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
