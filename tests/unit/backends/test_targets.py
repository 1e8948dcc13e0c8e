"""Which wrappers share a pool: those between whose sessions nothing tells a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_lifeline.backends import assembly
from django_lifeline.backends.mysql.base import DatabaseWrapper

Connect = Callable[..., Any]


class Subclass(DatabaseWrapper):
    """An engine of somebody's own."""


@pytest.mark.parametrize(
    "differs",
    [
        {"NAME": "test_shop"},
        {"USER": "auditor"},
        {"HOST": "replica"},
        {"PORT": "3307"},
        {"alias": "reports"},
        {"kind": Subclass},
        {"OPTIONS": {"charset": "latin1"}},
        {"OPTIONS": {"init_command": "SET sql_mode = ''"}},
        {"OPTIONS": {"pool": {"max_size": 3}}},
        {"OPTIONS": {"lifeline": {"retry_reads": False}}},
    ],
    ids=str,
)
def test_what_differs_has_a_pool_of_its_own(connect: Connect, differs: Any) -> None:
    assert connect().pool is not connect(**differs).pool


@pytest.mark.parametrize(
    "same", [{}, {"PASSWORD": "renewed"}, {"OPTIONS": {"password": "renewed"}}, {"OPTIONS": {}}]
)
def test_what_only_authenticates_makes_no_other_pool(connect: Connect, same: Any) -> None:
    assert connect().pool is connect(**same).pool


@pytest.mark.parametrize(("one", "other"), [(True, 1), (False, 0), (1, 1.0), ("1", 1)])
def test_values_that_are_equal_to_python_alone_are_two(
    connect: Connect, one: object, other: object
) -> None:
    pools = [connect(OPTIONS={"local_infile": value}).pool for value in (one, other)]
    assert pools[0] is not pools[1]


@pytest.mark.parametrize(
    ("one", "other"), [({"ca": "a"}, {"ca": "b"}), (["a"], ["b"]), ({"a"}, {"b"})]
)
def test_values_inside_values_count(connect: Connect, one: object, other: object) -> None:
    pools = [connect(OPTIONS={"ssl": value}).pool for value in (one, other, one)]
    assert pools[0] is not pools[1] and pools[0] is pools[2]


def test_settings_changed_in_place_lead_to_another_pool(connect: Connect) -> None:
    wrapper = connect()
    before = wrapper.pool
    wrapper.settings_dict["NAME"] = "test_shop"
    assert wrapper.pool is not before
    assert assembly.known_target(wrapper).target.params["database"] == "test_shop"


@pytest.mark.parametrize("name", ["NAME", "USER", "HOST", "PORT"])
def test_whatever_setting_is_changed_in_place_is_noticed(connect: Connect, name: str) -> None:
    wrapper = connect()
    before = assembly.known_target(wrapper).target
    wrapper.settings_dict[name] = "3310"
    assert assembly.known_target(wrapper).target is not before


def test_options_changed_in_place_lead_to_another_pool_for_the_next_wrapper(
    connect: Connect,
) -> None:
    wrapper = connect()
    before = wrapper.pool
    wrapper.settings_dict["OPTIONS"]["charset"] = "latin1"
    assert assembly.known_target(wrapper).target.pool is not before


def test_target_that_had_nothing_for_long_is_forgotten_and_taken_up_again(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper, other = connect(), connect(NAME="other")
    target, used = wrapper.target, other.target
    monkeypatch.setattr(assembly, "FORGET_AFTER", 0.0)
    for _ in range(2):
        assembly.targets.pass_by(used)
    assert target.forgotten and target not in list(assembly.targets)
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert not target.forgotten and target in list(assembly.targets)
