"""The look of the pages that this package writes."""

from __future__ import annotations

from pathlib import Path


def style() -> str:
    """Return what goes first into a page's ``<style>``: colours for light and dark, text, cards."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")
