"""Marks the English texts that have translations; see ``locale/``."""

from __future__ import annotations


def N_(text: str) -> str:  # the name gettext's tools look for
    """Return *text* as it is: it is translated where it is shown, not where it is written."""
    return text
