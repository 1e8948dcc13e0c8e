"""The Chinese pages say what the English ones say, and each leads to the other."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sphinx", reason="the docs' dependencies are not installed")
pytest.importorskip("babel", reason="the docs' dependencies are not installed")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (DOCS / "locale" / "pages.txt").read_text(encoding="utf-8").split()

KEPT = {
    "code": r"`[^`]+`",
    "links": r"\]\(([^)]*)\)",
    "addresses": r"https?://[\w./#-]+",
    "numbers": r"\d{3,}",
}
"""What a translation has as often as the original; numbers it may have more, as in 180 万."""


@pytest.fixture(scope="module")
def translate() -> ModuleType:
    """``scripts/translate`` as a module; its name has no ending that import would take."""
    path = ROOT / "scripts" / "translate"
    loader = importlib.machinery.SourceFileLoader("translate", str(path))
    spec = importlib.util.spec_from_loader("translate", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_every_text_of_the_translated_pages_is_translated_as_it_stands_now(
    translate: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    status = translate.main(["--check"])
    assert status == 0, f"{capsys.readouterr().out}\nrun scripts/translate, then translate"


def test_list_of_translated_pages_names_each_page_once_and_in_order() -> None:
    assert sorted(set(PAGES)) == PAGES
    assert [page for page in PAGES if not (DOCS / f"{page}.md").exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_translation_keeps_code_links_and_numbers(page: str, translate: ModuleType) -> None:
    for message in translate.catalogue_of(page):
        # The header has no text, and a text without translation is told by another test.
        if message.id and message.string:
            for kind, pattern in KEPT.items():
                wanted = Counter(re.findall(pattern, message.id, re.ASCII))
                got = Counter(re.findall(pattern, message.string, re.ASCII))
                assert wanted == (got & wanted if kind == "numbers" else got), message.id


def test_text_without_translation_and_one_that_was_changed_are_noticed(
    translate: ModuleType,
) -> None:
    catalogue = translate.Catalog()
    catalogue.add("A new text.")
    catalogue.add("A changed text.", "旧译文。", flags=["fuzzy"])
    catalogue.add("A text.", "一段文字。")
    told = list(translate.missing(translate.path_of("start"), catalogue))
    assert told == ["start: no translation: A new text.", "start: look again at: A changed text."]


def test_changed_text_stays_marked_and_gets_no_comments_when_it_is_looked_at_twice(
    translate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translate, "CATALOGUES", tmp_path)
    page = tmp_path / "start.po"
    page.write_text('msgid "A text that was there."\nmsgstr "旧译文。"\n', encoding="utf-8")
    changed = translate.Catalog()
    changed.add("A text that was here.")
    for _ in range(2):
        [(_, content, catalogue)] = translate.wanted({"start": changed})
        page.write_bytes(content)
    [message] = [it for it in catalogue if it.id]
    assert (message.fuzzy, message.user_comments) == (True, [])


def test_catalogue_of_a_page_that_is_gone_is_noticed(
    translate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translate, "CATALOGUES", tmp_path)
    for name in ("start.po", "gone.po"):
        (tmp_path / name).touch()
    assert translate.gone({"start": translate.Catalog()}) == [tmp_path / "gone.po"]


def test_search_takes_chinese_in_pairs_and_numbers_as_words() -> None:
    search = runpy.run_path(str(DOCS / "conf.py"))["SearchPairs"]({})
    assert search.split("8小时, 连接池 2006") == ["n8", "小时", "连接", "接池", "n2006"]


def build(language: str, to: Path) -> None:
    """Build a site of two pages with the configuration of the real one."""
    pages = to.parent / "pages"
    (pages / "guides").mkdir(parents=True, exist_ok=True)
    (pages / "index.md").write_text("# One\n\n```{toctree}\nguides/two\n```\n")
    (pages / "guides" / "two.md").write_text("# Two\n\nA connection.\n")
    options = ["-q", "-W", "-c", str(DOCS), "-d", str(to.parent / "trees")]
    words = [sys.executable, "-m", "sphinx", "-b", "html", *options, "-D", f"language={language}"]
    subprocess.run([*words, str(pages), str(to)], check=True)


def test_each_page_leads_to_the_same_page_in_the_other_language(tmp_path: Path) -> None:
    site = tmp_path / "site"
    build("en", site)
    build("zh_CN", site / "zh")
    for name, root in (("index.html", ""), ("guides/two.html", "../")):
        english, chinese = (site / name).read_text(), (site / "zh" / name).read_text()
        assert f'<a href="{root}zh/{name}" hreflang="zh-CN"' in english
        assert f'<a href="{root}../{name}" hreflang="en"' in chinese
    assert "本页尚无中文译文" in (site / "zh/guides/two.html").read_text()
    assert "本页尚无中文译文" not in (site / "guides/two.html").read_text()
