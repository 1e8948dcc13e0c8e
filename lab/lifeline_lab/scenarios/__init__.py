"""The situations, one file each; a new file is found by itself."""

from __future__ import annotations

import importlib
import pkgutil

from lifeline_lab.scenario import CAUSES, Scenario


def all_scenarios() -> dict[str, Scenario]:
    """Return the scenarios by name, in the order of their causes."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]
    scenarios: list[Scenario] = [module.SCENARIO for module in modules]
    scenarios.sort(key=lambda each: (CAUSES.index(each.cause), not each.quick, each.name))
    return {each.name: each for each in scenarios}
