"""The Chinese README says what the English one says: section by section, command by command."""

from __future__ import annotations

import re
from pathlib import Path

from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.pages import SITE

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
CHINESE_SITE = f"{SITE}zh/"


def blocks(text: str) -> list[str]:
    """Return what stands in fences, without comments."""
    found = re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s*#.*", "", block) for block in found]


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def shape(text: str) -> list[str]:
    """Return the marks with which headings, list items and table rows begin, in order."""
    return re.findall(r"^(#+ |\* |\d\. |\|(?=.*\|$))", prose(text), re.MULTILINE)


def links(text: str) -> list[str]:
    """Return the pages of the site that are linked, in order."""
    found = re.findall(rf"{re.escape(SITE)}([^)\s\"]*)", text)
    return [page for link in found if (page := link.removeprefix("zh/"))]


def test_both_have_the_same_headings_lists_and_tables() -> None:
    assert shape(CHINESE) == shape(ENGLISH)


def test_both_have_the_same_commands_and_code() -> None:
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_both_link_the_same_pages_each_in_its_language() -> None:
    assert links(CHINESE) == links(ENGLISH)
    pages = re.findall(rf"\]\(({re.escape(SITE)}[^)]*)\)", CHINESE)
    assert [page for page in pages if not page.startswith(CHINESE_SITE)] == []


def test_both_have_the_same_figures() -> None:
    pattern = r"\d[\d.:-]*\d|`[^`]+`"
    sections = [prose(text).partition("## ")[2] for text in (ENGLISH, CHINESE)]
    wanted, got = (set(re.findall(pattern, text)) for text in sections)
    assert wanted - got == set()


def test_chinese_one_names_how_many_causes_there_are() -> None:
    assert len(CAUSES) == 5 + 22
    assert "另外二十二种" in CHINESE


def test_each_leads_to_the_other() -> None:
    top = ENGLISH.partition("## ")[0]
    # No relative link: package indexes show it too.
    assert f"]({CHINESE_SITE})" in top and "`README.zh-CN.md`" in top
    assert "](README.md)" in CHINESE.partition("## ")[0]
