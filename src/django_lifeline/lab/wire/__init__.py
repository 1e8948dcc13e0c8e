"""A proxy before a server that sees each command go by, and can break the wire at any point."""

from __future__ import annotations

from django_lifeline.lab.wire.protocol import Command
from django_lifeline.lab.wire.proxy import WireProxy
from django_lifeline.lab.wire.rules import Fault

__all__ = ["Command", "Fault", "WireProxy"]
