"""Marks the English texts that have translations, see ``locale/``; breaks lines of either."""

from __future__ import annotations

import textwrap


def N_(text: str) -> str:  # the name gettext's tools look for
    """Return *text* as it is: it is translated where it is shown, not where it is written."""
    return text


def text_lines(text: str, width: int, first: str, rest: str) -> list[str]:
    """Return *text* as lines of at most *width*, the first after *first*, others after *rest*."""
    if not text.isascii() and any("\u4e00" <= letter <= "\u9fff" for letter in text):
        return [first + text]  # Chinese has no spaces to break lines at; terminals break it well
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
