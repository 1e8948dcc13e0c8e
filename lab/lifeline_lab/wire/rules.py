"""What the proxy has seen and what it is to do about it, shared by all its connections."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Literal

from lifeline_lab.wire.protocol import Command

When = Literal["before", "after_send", "mid_answer"]
Action = Literal["rst", "fin", "blackhole"]


@dataclass
class Fault:
    """What is to happen to which command; made by `WireProxy.on`."""

    pattern: str
    when: When
    action: Action
    once: bool
    nth: int
    after_bytes: int
    fired: threading.Event = field(default_factory=threading.Event)
    """Set when it has happened."""
    seen: int = 0

    def meets(self, sent: Command) -> bool:
        """Count this command if it matches; return whether it is the one to be hit."""
        if not matches(self.pattern, sent):
            return False
        self.seen += 1
        return self.seen == self.nth if self.once else self.seen >= self.nth


class Rules:
    """The commands seen, the faults to come, and whether traffic is held."""

    def __init__(self, *, tls: bool) -> None:
        self.tls = tls
        self.held = False
        # Guards the two lists; nothing is sent or received while it is held.
        self.changed = threading.Condition()
        self.commands: list[Command] = []
        self.faults: list[Fault] = []

    def fault_for(self, sent: Command) -> Fault | None:
        """The fault that this command is to meet."""
        with self.changed:
            met = [fault for fault in self.faults if fault.meets(sent)]
        return met[0] if met else None

    def record(self, sent: Command) -> None:
        """List a command, and wake who waits for one."""
        with self.changed:
            self.commands.append(sent)
            self.changed.notify_all()

    def wait_for(self, pattern: str, timeout: float) -> Command | None:
        """The first command that matches, as soon as there is one."""

        def first() -> Command | None:
            return next((sent for sent in self.commands if matches(pattern, sent)), None)

        with self.changed:
            return self.changed.wait_for(first, timeout)


def matches(pattern: str, sent: Command) -> bool:
    """Whether the pattern, a command's name or a regular expression for its text, fits."""
    if pattern.startswith("COM_"):
        return pattern == sent.name
    return bool(re.search(pattern, sent.text, re.IGNORECASE))
