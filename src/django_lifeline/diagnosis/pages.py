"""Where the docs are: the one place that knows their address."""

from __future__ import annotations

from collections.abc import Callable

from django_lifeline.diagnosis.text import N_

SITE = N_("https://django-lifeline.readthedocs.io/en/stable/")


def address(name: str, anchor: str = "") -> str:
    """Return where a page of the docs is read, such as ``causes/killed``, and a place on it."""
    return f"{SITE}{name}.html" + (f"#{anchor}" if anchor else "")


def in_language(page: str, translate: Callable[[str], str]) -> str:
    """Return where the same page is read in the language of *translate*."""
    return page.replace(SITE, translate(SITE))
