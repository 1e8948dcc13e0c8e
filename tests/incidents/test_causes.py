"""Each cause is made to happen on real servers with both drivers, and is named rightly.

Where the evidence does not decide, the engine has to say so and the cause has to be among those
it names: `UNDECIDED` lists where that may be, and why.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tests.fixtures.drawing import is_drawn
from tests.fixtures.servers import DRIVERS, missing

from lifeline_lab.incidents.causes import all_kinds
from lifeline_lab.incidents.kinds import NOTHING
from lifeline_lab.incidents.report import describe
from lifeline_lab.incidents.runner import Result, run
from lifeline_lab.incidents.scoring import Score
from lifeline_lab.incidents.setting import CELLS, draw
from lifeline_lab.servers import ServerMissing, find

pytestmark = [
    pytest.mark.drawn,
    pytest.mark.server,
    pytest.mark.fault,
    # The first test of all waits for every incident of every drawn cell.
    pytest.mark.timeout(400),
]

SEED = 2026
KINDS = all_kinds()
END_WITHOUT_A_WORD = (
    "KILL and a proxy that ends the connection leave the same trace: an end without a word, of "
    "one session, while the server stays up."
)
END_NEAR_THE_LIMIT = (
    "MariaDB ends an idle session without a word, and over TLS MySQL's word cannot be read: "
    "whatever else ends it at about that time looks the same."
)
SILENCE = (
    "Nothing is heard, whether the server is still at work, stands still, or packets vanish on "
    "the way; and a new connection that gets no answer tells no more."
)
NOT_ASKED = (
    "The error is raised at once, when the server is not back yet to be asked when it started."
)
EITHER_SIDE = "On a Unix socket nothing tells which side ended the connection."
NO_TIMES = (
    "Of a Unix socket the kernel tells no times; what is left of a child is whether it lives, and "
    "what it still has open."
)
SENDING_FAILED = "A reset while a large statement is being sent can come from a proxy as well."

UNDECIDED = {
    "answer-cut-inside-a-record": END_WITHOUT_A_WORD,
    "child-said-goodbye-for-its-parent": NO_TIMES,
    "child-said-goodbye-for-its-parent-and-stays": NO_TIMES,
    "cut-before-the-answer-to-commit": END_WITHOUT_A_WORD,
    "cut-shortly-before-its-time-was-up": END_NEAR_THE_LIMIT,
    "cut-while-idle-with-fin": END_WITHOUT_A_WORD,
    "cut-while-idle-with-rst": END_WITHOUT_A_WORD,
    "cut-while-running-with-fin": END_WITHOUT_A_WORD,
    "cut-while-running-with-rst": END_WITHOUT_A_WORD,
    "crashed-while-running": NOT_ASKED,
    "idle-beyond-a-global-limit-lowered-meanwhile": END_NEAR_THE_LIMIT,
    "idle-beyond-a-limit-that-the-application-set": END_NEAR_THE_LIMIT,
    "idle-beyond-the-limit-of-every-session": END_NEAR_THE_LIMIT,
    "idle-beyond-the-limit-of-haproxy": END_WITHOUT_A_WORD,
    "killed-shortly-before-its-time-was-up": END_NEAR_THE_LIMIT,
    "killed-while-a-child-has-the-socket": END_WITHOUT_A_WORD,
    "killed-while-idle": END_WITHOUT_A_WORD,
    "killed-while-running": END_WITHOUT_A_WORD,
    "larger-than-a-limit-lowered-meanwhile": SENDING_FAILED,
    "no-greeting": SILENCE,
    "restarted-while-running": NOT_ASKED,
    "server-stands-still": SILENCE,
    "socket-shut-down": EITHER_SIDE,
    "statement-sent-slower-than-write-timeout": SILENCE,
    "statement-slower-than-read-timeout": SILENCE,
    "swallowed-by-a-proxy": SILENCE,
}
"""Kinds whose cause may be left open, as long as it is among those named; and why."""

LEAST_DECIDED = 0.65
"""The share of losses whose cause has to be named without any doubt left."""


CASES = [
    (name, server, driver)
    for name, kind in KINDS.items()
    for server, driver in CELLS
    if server in kind.servers and driver in kind.drivers
]


@cache
def why_not(server: str, driver: str) -> str:
    """Why a cell cannot run here; empty when it can."""
    try:
        find(server)
    except ServerMissing as error:
        return str(error)
    if importlib.util.find_spec(DRIVERS[driver]) is None:
        return f"the driver {driver} is not installed"
    if importlib.util.find_spec("gevent") is None:
        return "gevent is not installed, in whose greenlets some incidents happen"
    if shutil.which("haproxy") is None:
        return "haproxy is not installed, which some incidents have in between"
    return ""


@pytest.fixture(scope="session")
def incidents() -> Callable[[str, str, str], Result]:
    """``incidents(kind, server, driver)``: what came of it; all drawn happen at the first call."""
    found: dict[tuple[str, str, str], Result] = {}

    def hear(result: Result) -> None:
        setting = result.setting
        found[setting.kind, setting.server, setting.driver] = result

    def get(kind: str, server: str, driver: str) -> Result:
        problem = why_not(server, driver)
        if problem:
            missing(problem)
        if not found:
            mine = Path(__file__).stem
            cells = [it for it in CELLS if is_drawn(mine, *it) and not why_not(*it)]
            wanted = sum((server, driver) in cells for _, server, driver in CASES)
            run(draw(KINDS, SEED, wanted, cells), SEED, hear)
        return found[kind, server, driver]

    return get


@pytest.mark.parametrize(("kind", "server", "driver"), CASES)
def test_cause_is_named_or_left_open_where_nothing_decides(
    incidents: Callable[[str, str, str], Result], kind: str, server: str, driver: str
) -> None:
    result = incidents(kind, server, driver)
    assert not result.problem, result.problem
    told = f"{describe(result)}; because {result.told.because} {dict(result.told.evidence)}"
    if result.score is Score.HONEST:
        assert kind in UNDECIDED, told
    else:
        assert result.score is Score.CORRECT, told


@pytest.mark.parametrize(("server", "driver"), CELLS)
def test_most_causes_are_named_without_doubt(
    incidents: Callable[[str, str, str], Result], server: str, driver: str
) -> None:
    names = [name for name, *cell in CASES if cell == [server, driver]]
    losses = [name for name in names if KINDS[name].truth != NOTHING]
    found = Counter(incidents(name, server, driver).score for name in losses)
    assert found[Score.CORRECT] >= LEAST_DECIDED * len(losses), found


def test_every_exception_to_the_rule_is_a_kind() -> None:
    assert UNDECIDED.keys() <= KINDS.keys()
