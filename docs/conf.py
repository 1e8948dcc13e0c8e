"""How Sphinx builds the site; ``scripts/docs`` runs it. Nothing is fetched while building."""

from __future__ import annotations

import tomllib
from pathlib import Path

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
# An error text is quoted as it was printed, so that it can be searched for.
smartquotes = False

html_theme = "furo"
html_title = "django-lifeline"
html_static_path = ["_static"]
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
  return words.map((word) => (/^\d+$/.test(word) ? "n" + word : word));
}
"""

    def split(self, text: str) -> list[str]:
        """Do in the index what the code above does in the browser."""
        return [f"n{word}" if word.isdigit() else word for word in super().split(text)]


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the search."""
    app.add_search_language(SearchNumbersToo)
