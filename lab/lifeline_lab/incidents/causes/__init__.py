"""What can be made to go wrong: one function for each kind of incident, by subject."""

from __future__ import annotations

import importlib
import pkgutil

from lifeline_lab.incidents.kinds import KINDS, Kind


def all_kinds() -> dict[str, Kind]:
    """Return every kind by name, in a fixed order."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(KINDS)
