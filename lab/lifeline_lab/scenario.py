"""What a scenario is: a real program, what is done to it, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lifeline_lab.arms import DRIVERS, LIFELINE, STOCK_ARMS
from lifeline_lab.judges import Check

if TYPE_CHECKING:
    from lifeline_lab.scene import Scene

Fault = Callable[["Scene"], None]

CAUSES = (
    "idle timeout",
    "KILL between statements",
    "server restart",
    "failover",
    "network",
    "closed behind Django's back",
    "oversized packet",
    "fork",
    "too many connections",
    "blocking driver",
    "loss in the middle of a statement",
    "interruption in the middle of a query",
    "no loss at all",
)
"""In the order of the report."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One situation from the field. ``name`` is its file's, with hyphens."""

    name: str
    title: str
    story: str
    """What happened to somebody, in one sentence."""
    place: str
    cause: str
    """One of `CAUSES`."""
    program: tuple[str, ...]
    """A file of ``programs/`` and its arguments."""
    judge: Check
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """What is done at each of the program's pauses; a pause not named here just goes on."""
    must_break: tuple[str, ...] = STOCK_ARMS
    """The arms that must show the trouble: where one does not, the scenario proves nothing."""
    must_break_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same for one driver, or for one ``server/driver``, where that differs."""
    control: bool = False
    """Here stock Django has no trouble; the scenario shows that ours makes none."""
    drivers: tuple[str, ...] = DRIVERS
    variables: Mapping[str, object] = field(default_factory=dict)
    """The server's; scenarios with the same ones share a server."""
    own_server: bool = False
    """It harms the whole server: its cells run one after the other, on a server of their own."""
    proxy: bool = False
    """The program talks to the server through a `WireProxy`, without TLS."""
    options: Mapping[str, object] = field(default_factory=dict)
    """``OPTIONS`` of all arms."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Other keys of the ``DATABASES`` entry, for all arms but plain stock."""
    gentle: bool = False
    """It needs no more than KILL and ``wait_timeout`` of its own sessions: fit for ``--dsn``."""
    quick: bool = False
    """It is in the short set for continuous integration."""
    patience: float = 30.0
    """Seconds after which a program that is still running hangs."""

    def should_break(self, arm: str, server: str, driver: str) -> bool:
        """Tell whether this arm must show the trouble."""
        if arm == LIFELINE.name:
            return False
        for key in (f"{server}/{driver}", driver):
            if key in self.must_break_with:
                return arm in self.must_break_with[key]
        return arm in self.must_break
