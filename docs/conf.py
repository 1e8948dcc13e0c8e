"""How Sphinx builds the site; ``scripts/docs`` runs it. Nothing is fetched while building."""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

project = "django-lifeline"
author = "django-lifeline contributors"
copyright = author
release = version = _project["version"]
language = "en"

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build"]
# Links are written as files, "settings.md#pool", so that they work on a code host as well; these
# are the anchors that headings get there.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
nitpicky = True

# The Chinese site (-D language=zh_CN) is built of the same pages and of the catalogues that
# scripts/translate keeps, one for each translated page.
locale_dirs = ["locale"]
gettext_compact = False
TRANSLATED = frozenset((Path(__file__).parent / "locale" / "pages.txt").read_text().split())
# An error text is quoted as it was printed, so that it can be searched for.
smartquotes = False

html_theme = "furo"
html_title = "django-lifeline"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_last_updated_fmt = None
pygments_style = "friendly"
pygments_dark_style = "native"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#a8431a", "color-brand-content": "#a8431a"},
    "dark_css_variables": {"color-brand-primary": "#ff9d6b", "color-brand-content": "#ff9d6b"},
}

# Only code is copied, not the prompt before it.
copybutton_prompt_text = r"\$ |>>> |mysql> "
copybutton_prompt_is_regexp = True


class SearchNumbersToo(SearchEnglish):
    """Sphinx leaves words of digits out; here people search for 2006, so they get a letter."""

    js_splitter_code = r"""
function splitQuery(query) {
  const words = query.split(/[^\p{Letter}\p{Number}_]+/u).filter((word) => word);
  return words.flatMap(wordParts).map((word) => (/^\d+$/.test(word) ? "n" + word : word));
}
function wordParts(word) { return [word]; }
"""

    def split(self, text: str) -> list[str]:
        """Do in the index what the code above does in the browser."""
        parts = [part for word in super().split(text) for part in self.parts(word)]
        return [f"n{part}" if part.isdigit() else part for part in parts]

    def parts(self, word: str) -> list[str]:
        """Return the words that a word without spaces is made of."""
        return [word]


class SearchPairs(SearchNumbersToo):
    """Chinese has no spaces between words: each two characters that follow one another are one."""

    lang = "zh"
    js_splitter_code = SearchNumbersToo.js_splitter_code.replace(
        "return [word];",
        r"""
  return word.match(/[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+/g).flatMap((run) =>
    run < "\u4e00" || run.length < 3 ? [run]
      : Array.from({ length: run.length - 1 }, (_, at) => run.slice(at, at + 2)));
""",
    )

    def parts(self, word: str) -> list[str]:
        """Return pairs of Chinese characters, and what stands between them as it is."""
        runs = re.findall("[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+", word)
        pairs = [
            [run[at : at + 2] for at in range(len(run) - 1)]
            if run >= "\u4e00" and len(run) > 2
            else [run]
            for run in runs
        ]
        return [part for run in pairs for part in run]


def tell_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """Tell a page where its other language is, and whether it is translated at all."""
    chinese = app.config.language == "zh_CN"
    language, name, root = ("en", "English", "..") if chinese else ("zh-CN", "中文", "zh")
    path = posixpath.relpath(f"{root}/{page}.html", posixpath.dirname(page) or ".")
    context["other_language"] = {"code": language, "name": name, "path": path}
    context["untranslated"] = chinese and tree is not None and page not in TRANSLATED


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the search and of the languages."""
    app.add_search_language(SearchNumbersToo)
    app.add_search_language(SearchPairs)
    app.connect("html-page-context", tell_language)
