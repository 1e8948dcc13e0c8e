"""The pulse of the site: requests, errors, heals and connections, live."""

from pathlib import Path


def path() -> Path:
    from django.conf import settings

    return Path(settings.FOLDER) / "pulse.jsonl"


def note(kind: str, **more: object) -> None:
    """Note that something happened just now, in whatever process this is."""
    from pulse.record import append

    append(path(), kind, **more)
