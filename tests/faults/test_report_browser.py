"""The report in a real browser: what a reader sees, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.browser import DESK, WIDER_THAN_ITS_WINDOW, as_on_a_phone
from tests.fixtures.servers import missing

from lifeline_lab.report import versions, write_html
from lifeline_lab.runner import Selection, Servers, lab_server, run
from lifeline_lab.scenarios import all_scenarios
from lifeline_lab.servers import ServerMissing, find

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.slow]
PNG = b"\x89PNG\r\n"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report of two scenarios, run for real."""
    names = ("rpc-loop", "kill-between")
    scenarios = tuple(all_scenarios()[name] for name in names)
    selection = Selection(scenarios, ("mariadb",), ("pymysql",), ("stock", "lifeline"))
    try:
        find("mariadb")
    except ServerMissing as error:
        missing(str(error))
    results = run(selection, Servers(lab_server), jobs=4, tell=lambda result: None)
    path = tmp_path / "index.html"
    write_html(path, results, versions(results))
    return path


OURS_IN_SIGHT = """
    const place = document.querySelector("td.ours").getBoundingClientRect();
    return place.width > 0 && place.left >= 0 && place.right <= innerWidth;
"""


def test_reader_sees_matrix_and_timelines_on_a_desk_and_on_a_phone(
    browser: Any, report: Path, tmp_path: Path
) -> None:
    browser.set_window_size(*DESK)
    browser.get(report.as_uri())

    matrix = browser.find_element("css selector", "table").text
    assert "KILL between two statements" in matrix
    assert "✗ 2013" in matrix
    assert matrix.count("✓ survived") == 2
    assert "survived 2 of 2" in browser.find_element("css selector", ".lead.good").text

    drawings = browser.find_elements("css selector", "#kill-between svg")
    assert len(drawings) == 2
    stock, ours = (drawing.text for drawing in drawings)
    assert "2013" in stock and "KILL (1 session)" in stock
    assert "2013" not in ours and "session" in ours
    assert all(drawing.size["height"] > 80 for drawing in drawings)

    browser.find_element("css selector", 'a[href="#kill-between"]').click()
    browser.find_element("css selector", "#kill-between summary").click()
    assert "Lost connection" in browser.find_element("css selector", "#kill-between ol").text

    assert not browser.execute_script(WIDER_THAN_ITS_WINDOW)
    as_on_a_phone(browser)
    assert not browser.execute_script(WIDER_THAN_ITS_WINDOW)
    assert browser.execute_script(OURS_IN_SIGHT), "without moving the table"

    picture = tmp_path / "report.png"
    assert browser.save_screenshot(str(picture))
    assert picture.read_bytes().startswith(PNG)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
