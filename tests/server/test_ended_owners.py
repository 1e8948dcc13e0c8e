"""G7: whoever ends with a lock or a transaction frees it, though nobody waits for a connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fixtures.programs import Runner

from lifeline_lab.servers import Server

pytestmark = pytest.mark.drawn

PROGRAM = Path(__file__).parent / "programs" / "ended_owners.py"


@pytest.mark.parametrize("gevent", [False, True], ids=["threads", "greenlets"])
def test_whatever_an_owner_held_is_free_when_he_has_ended(
    server: Server, driver: str, gevent: bool, run_program: Runner
) -> None:
    said = run_program(PROGRAM, server, driver, gevent=gevent, timeout=100).json
    assert said.pop("stored") == [0]
    assert len(said) == 9
    otherwise = {name: found for name, found in said.items() if found != [True, True]}
    assert not otherwise
