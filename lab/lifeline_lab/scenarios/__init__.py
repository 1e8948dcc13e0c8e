"""The situations, one file each; a new file is found by itself."""

from __future__ import annotations

import importlib
import pkgutil

from lifeline_lab.scenario import CAUSES, Scenario


def all_scenarios() -> dict[str, Scenario]:
    """Return the scenarios by name, in the order of their causes."""
    scenarios = [
        checked(found.name, importlib.import_module(f"{__name__}.{found.name}").SCENARIO)
        for found in pkgutil.iter_modules(__path__)
    ]
    scenarios.sort(key=lambda each: (CAUSES.index(each.cause), not each.quick, each.name))
    return {each.name: each for each in scenarios}


def checked(module: str, scenario: Scenario) -> Scenario:
    """Return the scenario of a file; `ValueError` for what would hide another or has no place."""
    name = module.replace("_", "-")
    if scenario.name != name:
        raise ValueError(
            f"scenarios/{module}.py: name is {scenario.name!r}. Set it to the file's, {name!r}."
        )
    if scenario.cause not in CAUSES:
        raise ValueError(
            f"scenarios/{module}.py: cause is {scenario.cause!r}. Set it to one of CAUSES in "
            f"scenario.py, or add it there: {', '.join(CAUSES)}."
        )
    return scenario
