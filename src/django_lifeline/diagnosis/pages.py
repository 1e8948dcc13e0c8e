"""Where the docs are: the one place that knows their address."""

from __future__ import annotations

SITE = "https://django-lifeline.readthedocs.io/en/stable/"


def address(name: str, anchor: str = "") -> str:
    """Return where a page of the docs is read, such as ``causes/killed``, and a place on it."""
    return f"{SITE}{name}.html" + (f"#{anchor}" if anchor else "")
