"""The monitoring tools, each set up as its makers say, except that nothing leaves the process.

Each module has the same four functions:

* ``instrument()`` switches the tool on,
* ``uninstrument()`` switches it off again, or is None where it cannot be,
* ``root(name)`` is a context manager: what the tool calls a transaction, a trace or a task,
* ``seen()`` returns what it recorded since the last call, in order: see `Record`.
"""

from __future__ import annotations

import importlib
import os
import re
from types import ModuleType
from typing import Any

Record = dict[str, Any]
"""``in`` names the root it belongs to, ``what`` is the text, or what the tool says in its place;
the rest are those of the tool's own attributes that must be the same with every engine."""

OPENING = re.compile(r"SELECT VERSION\(\)|SET SESSION TRANSACTION|SET SQL_AUTO_IS_NULL")
"""What Django says on each new connection. The engine says it in another way, and once."""

DRIVER = os.environ.get("WATCHED_DRIVER", "")


def the_tool() -> ModuleType:
    """Return the module of the tool that this process is watched by."""
    return importlib.import_module(f"tests.monitoring.tools.{os.environ['WATCHED_BY']}")
