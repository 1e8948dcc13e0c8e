"""What a piece of work leaves in its session is there for the thread's next one, or is not.

As with stock Django: ``CONN_MAX_AGE`` says which. A leader's lock is his until it is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.stock.conftest import PROGRAMS, Both, Pair, share

LEFT = [
    "nothing",
    "database",
    "sql_mode",
    "time_zone",
    "names",
    "checks",
    "no literal",
    "variable",
    "variable, by a select",
    "variable, into",
    "variable, by a batch",
    "procedure",
    "driver's object",
    "temporary table",
    "lock",
    "locked tables",
    "prepared",
    "handler",
    "next is read only",
    "read only",
    "begun",
    "autocommit off",
    "autocommit off, by Django",
    "two of them",
    "given",
]
FAULTS = ("killed", "ends_and_killed")
MADE_ANEW = ("given",)
"""Of a session that died at rest nobody knows any more what it would have answered."""
REFUSED = re.compile(r"(?:Operational|Interface)Error \d+")
pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]


def test_everything_that_is_left_is_named_here() -> None:
    text = (PROGRAMS / "stays.py").read_text()
    listed = re.search(r"^LEFT: .*?= \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    assert listed is not None
    assert re.findall(r'^    "(.+?)": \(', listed[1], re.MULTILINE) == LEFT


@pytest.fixture
def pair(both: Both) -> Pair:
    return both("stays", timeout=200, env={"PART": ";".join(share(LEFT, 0.25))})


def _cells(pair: Pair) -> Iterator[tuple[str, str, str, str]]:
    """Each cell's name, in parts, and the name of stock's."""
    assert len(pair.ours) == 2 * len(pair.stock) > 100
    for name in pair.ours:
        left, between, how = name.split("; ")
        yield left, between, how, name.replace(", bounded", ", unbounded")


def test_what_was_left_is_there_or_gone_as_with_stock(pair: Pair) -> None:
    unlike = {}
    for left, between, how, name in _cells(pair):
        if between in FAULTS or how.endswith(" bounded"):  # where others wait for it
            continue
        ours, stock = pair.ours[f"{left}; {between}; {how}"][:-1], pair.stock[name][:-1]
        if ours != stock:
            unlike[left, between, how] = (ours, stock)
    assert unlike == {}


def test_what_was_lost_in_between_is_told_or_made_again(pair: Pair) -> None:
    """What is answered then is what was left; or, as with stock, what a new session has."""
    unlike = {}
    for left, between, how, name in _cells(pair):
        new, *_ = stock = pair.stock[name]
        [first, _], kept = pair.ours[f"{left}; {between}; {how}"][3], stock[3][0]
        whole = pair.stock[f"{left}; close_old; {name.split('; ')[2]}"][3][0]
        allowed = [whole, kept]
        if left in MADE_ANEW or how.endswith(" bounded"):
            allowed.append(new)
        if between in FAULTS and first not in allowed and not REFUSED.fullmatch(str(first)):
            unlike[left, between, how] = (first, allowed)
    assert unlike == {}
