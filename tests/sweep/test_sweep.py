"""A share of the sweep, chosen by ``LIFELINE_SEED`` (the same by default, and told).

The whole of it is `scripts/sweep`, with results in ``docs/results/sweep.md``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lifeline_lab.servers import FLAVOURS, Server
from tests.fixtures.servers import started
from tests.sweep.outcome import VARIABLES, summary, sweep

pytestmark = pytest.mark.drawn

SHARE = ("--workloads", "5", "--seconds", "4", "--lanes", "6")
"""Of each server and driver."""
SEED = int(os.environ.get("LIFELINE_SEED") or 1)


@pytest.fixture(scope="module", params=FLAVOURS)
def swept_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that minds no broken handshake."""
    with started(request.param, **VARIABLES) as server:
        server.provide_md5()
        yield server


@pytest.mark.server
@pytest.mark.fault
def test_no_packet_that_is_struck_breaks_a_law(swept_server: Server, driver: str) -> None:
    outcome = sweep(swept_server, driver, "--seed", str(SEED), *SHARE, timeout=100)

    print(summary(outcome))
    for name in outcome["missed"] + outcome["broken"]:
        print("not judged:", name)
    told = "\n".join("{law}: {cell}: {said}".format(**each) for each in outcome["failures"])
    assert not outcome["failures"], f"LIFELINE_SEED={SEED}\n{told}"
    assert outcome["ran"] > len(outcome["missed"]), f"LIFELINE_SEED={SEED}: nothing was struck"
