"""What was measured says when, and with what."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from lifeline_lab.last_run import installed, last_run

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "results").glob("*.md"))
BENCHMARKS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
LAST_RUN = re.compile(r"\bLast run: (\d{4}-\d\d-\d\d), with Python 3\.\d+\.\d+, ")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page_of_results_says_when_it_was_measured_and_with_what(page: Path) -> None:
    text = page.read_text()
    if page.stem == "suites":  # each line has a date of its own
        assert re.search(r"\| 20\d\d-\d\d-\d\d \|", text) and "Python 3." in text
        return
    [day] = LAST_RUN.findall(text)
    assert date.fromisoformat(day)  # by itself: a test must pass whatever day it is


@pytest.mark.parametrize("result", BENCHMARKS, ids=lambda path: path.stem)
def test_benchmark_says_when_it_ran_and_with_what(result: Path) -> None:
    found = json.loads(result.read_text())
    assert re.match(r"20\d\d-\d\d-\d\dT", found["date"])
    assert {"Python", "Django", "mysqlclient", "PyMySQL"} <= found["versions"].keys()


def test_line_that_generators_write_is_the_one_that_pages_need() -> None:
    assert LAST_RUN.match(last_run({**installed(), "MariaDB": "11.8"}))
    assert last_run({"Python": "3.13.1", "x": "1"}).endswith(", with Python 3.13.1, x 1.")


def test_package_that_is_not_installed_has_no_version() -> None:
    assert list(installed(["no-such-package"])) == ["Python", "Django"]
