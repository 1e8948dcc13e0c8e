"""Every cause has its page, every page its place, every command that a page shows exists."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.pages import SITE
from lifeline_lab.incidents.__main__ import CHOICES
from lifeline_lab.scenarios import all_scenarios

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "django_lifeline"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
SECTIONS = ["What it looks like", "The evidence", "The cure", "See it happen"]

in_each_cause = pytest.mark.parametrize("name", sorted(CAUSES))


def source(address: str) -> Path:
    """Return the file that is read at an address of the site."""
    return (DOCS / address.removeprefix(SITE).partition("#")[0]).with_suffix(".md")


def prose(text: str) -> str:
    """Leave out what stands in fences: there, ``#`` begins a comment."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def options(text: str, option: str) -> Iterator[str]:
    """Return the names that *text* gives to an option, which may be parted by commas."""
    for names in re.findall(rf"--{option} ([a-z_,-]*[a-z])", text):
        yield from names.split(",")


def test_every_cause_has_its_page_and_every_page_is_a_cause() -> None:
    pages = {f"docs/causes/{path.name}" for path in (DOCS / "causes").glob("*.md")}
    told = {str(source(cause.page).relative_to(ROOT)) for cause in CAUSES.values()}
    assert pages - {"docs/causes/index.md"} == told


@in_each_cause
def test_page_of_a_cause_is_titled_by_what_people_search_for(name: str) -> None:
    title = source(CAUSES[name].page).read_text().partition("\n")[0]
    assert re.match(r'# .*(\d{4}|\(0, \'\'\)|"[^"]+")', title), title


@in_each_cause
def test_page_of_a_cause_tells_its_name_the_evidence_the_cure_and_a_command(name: str) -> None:
    text = source(CAUSES[name].page).read_text()
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
    assert f"]({source(CAUSES[name].page).name})" in (DOCS / "causes" / "index.md").read_text()


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


def _told(path: Path) -> Iterator[str]:
    """Yield the texts in a module that are no docstrings, and so may be shown to somebody."""
    tree = ast.parse(path.read_text())
    silent = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in silent:
            yield text


def test_nothing_that_is_shown_points_into_the_repository() -> None:
    shown = SOURCE.rglob("*.py")
    pointing = {f"{path.name}: {text}" for path in shown for text in _told(path) if ".md" in text}
    assert pointing == set()


def test_addresses_of_pages_are_made_of_one_constant() -> None:
    elsewhere = [
        path.name
        for path in (*SOURCE.rglob("*.py"), *SOURCE.rglob("*.html"))
        if path.name != "pages.py" and "readthedocs" in path.read_text()
    ]
    assert elsewhere == []


def test_projects_links_lead_to_the_site_and_its_pages() -> None:
    links = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert links.pop("Documentation") == SITE
    assert [link for link in links.values() if not source(link).exists()] == []


README = (ROOT / "README.md").read_text()


def test_readme_has_no_relative_link_since_package_indexes_show_it_too() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README) + re.findall(r'(?:src|href)="([^"]+)"', README)
    assert len(targets) > 10
    assert [target for target in targets if not target.startswith("https://")] == []


def test_links_of_readme_lead_to_pages_and_images_of_the_site() -> None:
    targets = set(re.findall(rf"{re.escape(SITE)}[^)\s\"]*", README)) - {SITE, f"{SITE}zh/"}
    images = {target for target in targets if "/_images/" in target}
    assert [target for target in targets - images if not source(target).exists()] == []
    names = {image.rpartition("/")[2] for image in images}
    assert [name for name in names if not (DOCS / "images" / name).exists()] == []


def test_readme_names_the_two_commands_that_set_themselves_up() -> None:
    commands = re.findall(r"^(scripts/\w+) +#", README, re.MULTILINE)
    assert {"scripts/lab", "scripts/test"} <= set(commands)
    assert "exec scripts/test" in (ROOT / ".ci" / "run").read_text()


def test_readme_names_how_many_causes_there_are() -> None:
    assert len(CAUSES) == 5 + 22
    assert "twenty-two more" in README


def test_figures_of_the_proof_are_those_of_the_last_run() -> None:
    run = (DOCS / "results" / "lab.md").read_text()
    told = re.search(r"survived (\d+) of \1\. Stock Django broke in (\d+) of the \2 cells", run)
    assert told is not None
    survived, broke = told.groups()
    situations = len(re.findall(r"\n\| (?!situation)", run))
    for page in (README, (DOCS / "index.md").read_text()):
        assert f"{survived} of {survived}" in page and broke in page
        assert f"{situations} situations" in page
    assert f"[{situations} more situations" in (DOCS / "comparison.md").read_text()


def test_speed_is_told_as_it_was_measured_last() -> None:
    page = (DOCS / "benchmarks.md").read_text()
    request = page.partition("## One request, one query")[2].partition("\n## ")[0]
    wanted = dict(
        re.findall(r"^- lifeline ≤ \S+ × (\S+): measured ([^;]+);", request, re.MULTILINE)
    )
    persistent, health = wanted["stock-persistent"], wanted["stock-health"]
    for told in (README, (DOCS / "index.md").read_text()):
        assert f"takes {persistent} times" in told and f"{health} of what" in told
    assert f"{wanted['stock']} of what" in README
    assert f"this engine {persistent}." in (DOCS / "comparison.md").read_text()
