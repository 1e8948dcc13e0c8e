"""What steps do: a function for each kind, which gets its place and the step's arguments.

An action's value is compared between the engines, so it tells all that Django answered.
"""

from __future__ import annotations

from tests.differential.actions import blocks, cursors, driver, faults, orm, rivals, sessions, sql
from tests.differential.actions.place import ACTIONS, FAULTS, STAGE, Deliberate, Place

__all__ = ["ACTIONS", "FAULTS", "STAGE", "Deliberate", "Place"]

MODULES = (blocks, cursors, driver, faults, orm, rivals, sessions, sql)
