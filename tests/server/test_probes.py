"""Probes answer from what is known, whatever the server does, and borrow nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = [pytest.mark.drawn, pytest.mark.fault]

SAID = {
    "cold": (200, "unused"),
    "in use": (200, "ok"),
    "exhausted": (503, "exhausted"),
    "afterwards": (200, "ok"),
    "frozen": (503, "exhausted"),
    "full": (503, "away"),
    "down": (503, "away"),
    "back": (200, "ok"),
}


@pytest.fixture
def probes(report: Report) -> Any:
    return report("probes", timeout=100)


@pytest.mark.parametrize(("situation", "expected"), SAID.items())
def test_ready_follows_the_database(probes: Any, situation: str, expected: tuple[int, str]) -> None:
    said = probes[situation]
    assert (said["ready"], said["says"]) == expected


@pytest.mark.parametrize("situation", SAID)
def test_live_never_does_and_neither_borrows(probes: Any, situation: str) -> None:
    assert (probes[situation]["live"], probes[situation]["lent"]) == (200, 0)
