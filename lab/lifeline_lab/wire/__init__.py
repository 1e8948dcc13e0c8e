"""A proxy before a server that sees each command go by, and can break the wire at any point."""

from __future__ import annotations

from lifeline_lab.wire.protocol import Command
from lifeline_lab.wire.proxy import WireProxy
from lifeline_lab.wire.rules import Fault

__all__ = ["Command", "Fault", "WireProxy"]
