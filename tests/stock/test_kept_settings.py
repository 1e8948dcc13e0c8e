"""What a session was set to is there after its loss, or whoever goes on without it is refused."""

from __future__ import annotations

import re

import pytest
from tests.stock.conftest import Both, share

SETTINGS = ["time_zone", "database", "names", "checks"]
pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]
REFUSED = re.compile(r"(?:Operational|Interface|Programming)Error \d+|ConnectionLost .*")
HEALS = re.compile(
    r"\w+, (?:nothing|another), "
    r"(?:.*, False|(?:read|write|cursor|is_usable|get_autocommit|rollback|asks), True)"
)
"""Nothing but settings is lost, and nobody can have meant to change them."""


def test_nobody_goes_on_with_what_a_new_session_has(both: Both) -> None:
    part = share(SETTINGS, 0.25)
    pair = both("kept_settings", timeout=200, env={"PART": " ".join(part)})
    assert len(pair.ours) == len(part) * 10 * 13 * 2
    wrong = {}
    for name, (was, *told, after, stuck) in pair.ours.items():
        theirs = pair.stock[name]
        for now, stocks in zip(told, theirs[1:3], strict=True):
            as_it_was = now in (was, stocks)
            if not (as_it_was or REFUSED.fullmatch(str(now))):
                wrong[name] = (theirs, pair.ours[name])
        if after != theirs[3] or stuck != theirs[4]:
            wrong[name] = (theirs, pair.ours[name])
        if HEALS.fullmatch(name) and told != [was, was]:
            wrong[name] = (theirs, pair.ours[name])
    assert wrong == {}
