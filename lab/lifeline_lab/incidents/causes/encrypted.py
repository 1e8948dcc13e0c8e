"""What befalls an encrypted connection that was well until then."""

from __future__ import annotations

import time

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import DIRECT, kind
from lifeline_lab.incidents.network import Garbler


def _spoiled(bench: Bench, direction: str, how: str) -> None:
    server = bench.server
    with Garbler(server.host, server.port) as between:
        bench.use(PORT=between.port)
        bench.note(direction=direction, how=how)

        def fault() -> None:
            time.sleep(bench.between(0.0, 0.5))
            between.spoil(direction, how)

        bench.after_idle(fault)
        bench.forget()


@kind("tls_failure", ways=(DIRECT,), tls=(True,))
def statement_garbled_on_its_way(bench: Bench) -> None:
    """A bit of an encrypted statement is changed, so that the server cannot read its record."""
    _spoiled(bench, "up", bench.chance.choice(("garble", "header")))


@kind("tls_failure", ways=(DIRECT,), tls=(True,))
def answer_garbled_on_its_way(bench: Bench) -> None:
    """A bit of an encrypted answer is changed, so that the driver cannot read its record."""
    _spoiled(bench, "down", bench.chance.choice(("garble", "header")))


@kind("network_cut", ways=(DIRECT,), tls=(True,), alike="killed_while_running")
def answer_cut_inside_a_record(bench: Bench) -> None:
    """Half of an encrypted answer arrives, and then the end of the connection."""
    _spoiled(bench, "down", "cut")
