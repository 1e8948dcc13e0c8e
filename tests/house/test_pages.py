"""Every cause has its page, every page its place, every command that a page shows exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_lifeline.diagnosis.causes import CAUSES
from lifeline_lab.incidents.__main__ import CHOICES
from lifeline_lab.scenarios import all_scenarios

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
SECTIONS = ["What it looks like", "The evidence", "The cure", "See it happen"]

in_each_cause = pytest.mark.parametrize("name", sorted(CAUSES))


def prose(text: str) -> str:
    """Leave out what stands in fences: there, ``#`` begins a comment."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def options(text: str, option: str) -> Iterator[str]:
    """Return the names that *text* gives to an option, which may be parted by commas."""
    for names in re.findall(rf"--{option} ([a-z_,-]*[a-z])", text):
        yield from names.split(",")


def test_every_cause_has_its_page_and_every_page_is_a_cause() -> None:
    pages = {f"docs/causes/{path.name}" for path in (DOCS / "causes").glob("*.md")}
    assert pages - {"docs/causes/index.md"} == {cause.page for cause in CAUSES.values()}


@in_each_cause
def test_page_of_a_cause_is_titled_by_what_people_search_for(name: str) -> None:
    title = (ROOT / CAUSES[name].page).read_text().partition("\n")[0]
    assert re.match(r'# .*(\d{4}|\(0, \'\'\)|"[^"]+")', title), title


@in_each_cause
def test_page_of_a_cause_tells_its_name_the_evidence_the_cure_and_a_command(name: str) -> None:
    text = (ROOT / CAUSES[name].page).read_text()
    assert f"\nIn code, logs and metrics: `{name}`.\n" in text
    assert re.findall(r"^## (.+)$", prose(text), re.MULTILINE) == SECTIONS
    cure = text.partition("## The cure")[2]
    assert re.search(r"^\*\*With this engine\*\*|with any engine", cure, re.MULTILINE)
    # No proxy that speaks MySQL is part of the lab.
    needs_no_lab = name == "proxy_without_server"
    command = "-m django_lifeline explain" if needs_no_lab else "scripts/(lab|incidents)"
    assert re.search(command, cure.partition("## See it happen")[2])


@in_each_cause
def test_every_cause_can_be_found_from_the_list(name: str) -> None:
    assert f"]({Path(CAUSES[name].page).name})" in (DOCS / "causes" / "index.md").read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_commands_of_the_lab_name_what_there_is(path: Path) -> None:
    text = path.read_text()
    scenarios = {name for name in options(text, "scenario") if "<" not in name}
    assert scenarios <= set(all_scenarios())
    assert set(options(text, "cause")) <= set(CHOICES)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_page_has_one_title_and_it_comes_first(path: Path) -> None:
    headings = re.findall(r"^(#+) ", prose(path.read_text()), re.MULTILINE)
    assert headings[0] == "#"
    assert headings.count("#") == 1


@pytest.mark.parametrize(
    "path",
    [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", prose(path.read_text())):
        assert (path.parent / target).exists(), target
