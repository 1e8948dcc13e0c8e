"""What is drawn by chance: the same again for the same seed, and everything often enough."""

from __future__ import annotations

from collections import Counter

import pytest

from django_lifeline.diagnosis.causes import CAUSES
from lifeline_lab.incidents.causes import all_kinds
from lifeline_lab.incidents.kinds import NOTHING, SOCKET
from lifeline_lab.incidents.place import DISASTERS
from lifeline_lab.incidents.setting import CELLS, draw

KINDS = all_kinds()
MADE = set(CAUSES) - {"proxy_without_server"}
"""All but one: no proxy that speaks MySQL is part of the lab."""


def every_cell_count() -> int:
    return sum(
        server in kind.servers and driver in kind.drivers
        for kind in KINDS.values()
        for server, driver in CELLS
    )


def test_same_seed_draws_the_same_incidents() -> None:
    assert draw(KINDS, 5, 100) == draw(KINDS, 5, 100)


def test_another_seed_draws_others() -> None:
    assert draw(KINDS, 5, 100) != draw(KINDS, 6, 100)


def test_each_kind_is_drawn_once_in_each_cell_before_any_is_drawn_again() -> None:
    drawn = draw(KINDS, 1, every_cell_count())
    found = Counter((setting.kind, setting.server, setting.driver) for setting in drawn)
    assert set(found.values()) == {1}


def test_more_than_all_are_drawn_where_more_are_asked_for() -> None:
    wanted = every_cell_count() + 50
    drawn = draw(KINDS, 1, wanted)
    assert len({setting.seed for setting in drawn}) == len(drawn) == wanted


def test_settings_are_such_as_their_kinds_allow() -> None:
    for setting in draw(KINDS, 2, 500):
        kind = KINDS[setting.kind]
        assert setting.truth == kind.truth
        assert setting.server in kind.servers and setting.driver in kind.drivers
        assert setting.way in kind.ways and setting.work in kind.works
        assert setting.tls in kind.tls or setting.way == SOCKET
        assert setting.pooled or not kind.pooled


def test_every_cause_of_the_catalogue_is_made_to_happen_and_no_other() -> None:
    assert {kind.truth for kind in KINDS.values()} == {*MADE, NOTHING}


NEVER = {("out_of_sync", "pymysql"): "it reads what is left of an answer by itself"}
"""What does not happen with a driver, and why."""


@pytest.mark.parametrize("cause", sorted(MADE))
def test_cause_is_made_to_happen_on_both_servers_with_both_drivers(cause: str) -> None:
    cells = {
        (server, driver)
        for kind in KINDS.values()
        if kind.truth == cause
        for server in kind.servers
        for driver in kind.drivers
    }
    assert cells == {(server, driver) for server, driver in CELLS if (cause, driver) not in NEVER}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_kind_tells_its_story_and_names_what_exists(name: str) -> None:
    kind = KINDS[name]
    assert kind.story.endswith(".")
    assert kind.disaster in ("", *DISASTERS)
    if kind.alike:
        assert KINDS[kind.alike.replace("_", "-")].truth != kind.truth
