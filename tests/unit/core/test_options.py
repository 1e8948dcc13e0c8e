"""Options are read strictly, and a wrong one is explained."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from django_lifeline.core.options import (
    LifelineOptions,
    OptionError,
    PoolOptions,
    lifeline_options,
    pool_options,
)


def test_true_and_an_empty_dict_mean_the_defaults() -> None:
    defaults = PoolOptions(max_overflow=None)
    assert pool_options(True) == pool_options({}) == defaults
    assert lifeline_options({}) == LifelineOptions()


@pytest.mark.parametrize(
    ("given", "overflow"),
    [
        ({"timeout": 5}, None),
        ({"max_size": 10}, 0),
        ({"max_size": 10, "max_overflow": 3}, 3),
        ({"max_size": 10, "max_overflow": None}, None),
        ({"max_overflow": 0}, 0),
    ],
)
def test_max_size_is_a_limit_where_somebody_chose_it(
    given: dict[str, Any], overflow: int | None
) -> None:
    options = pool_options(given)
    assert options is not None
    assert (options.max_size, options.max_overflow) == (10, overflow)


def test_false_means_no_pool() -> None:
    assert pool_options(False) is None


def test_given_values_are_taken() -> None:
    given = {"min_size": 2, "max_size": 3, "timeout": 1, "max_idle": 0.5, "max_waiting": 0}
    options = pool_options(given)
    assert options is not None
    assert {name: getattr(options, name) for name in given} == given
    assert lifeline_options({"retry_reads": False}).retry_reads is False


@pytest.mark.parametrize("name", ["max_lifetime", "max_idle", "keepalive"])
def test_optional_times_may_be_none(name: str) -> None:
    options = pool_options({name: None})
    assert options is not None
    assert getattr(options, name) is None


@pytest.mark.parametrize("name", ["tcp_user_timeout", "tcp_keepalive"])
def test_kernel_settings_may_be_left_to_the_system(name: str) -> None:
    assert getattr(lifeline_options({name: None}), name) is None


@pytest.mark.parametrize("value", [None, 0, 1, "yes", [], 2.5])
def test_pool_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="True, False or a dict"):
        pool_options(value)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"maxsize": 1}, "max_size"),
        ({"MIN_SIZE": 1}, "min_size"),
        ({"time_out": 1}, "timeout"),
        ({"max_wait": 1}, "max_waiting"),
        ({"keep_alive": 1}, "keepalive"),
        ({3: 1}, "upkeep"),
    ],
)
def test_unknown_key_is_answered_with_the_nearest_and_all(
    given: dict[Any, Any], nearest: str
) -> None:
    with pytest.raises(OptionError) as refused:
        pool_options(given)
    assert f"Did you mean {nearest!r}?" in str(refused.value)
    assert "max_lifetime" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"min_size": -1}, ["'min_size'", "-1", "0 or more"]),
        ({"max_size": 0}, ["'max_size'", "0", "1 or more"]),
        ({"max_size": 2.0}, ["'max_size'", "2.0", "whole number"]),
        ({"max_waiting": None}, ["'max_waiting'", "None"]),
        ({"timeout": None}, ["'timeout'", "None", "seconds"]),
        ({"timeout": 0}, ["'timeout'", "above 0"]),
        ({"timeout": float("nan")}, ["'timeout'", "nan"]),
        ({"max_idle": True}, ["'max_idle'", "True"]),
        ({"keepalive": "60"}, ["'keepalive'", "'60'"]),
        ({"min_size": 11}, ["'min_size'", "11", "'max_size'", "10"]),
    ],
)
def test_wrong_value_is_named_with_what_it_may_be(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(OptionError) as refused:
        pool_options(given)
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    "given",
    [
        {"retry_reads": 1},
        {"tcp_keepalive": 0},
        {"tcp_keepalive": 1.5},
        {"tcp_user_timeout": -1},
        {"tcp_user_timeout": 1e12},
        {"ping_timeout": None},
        {"pingtimeout": 5},
        [],
    ],
)
def test_wrong_lifeline_option_is_refused(given: object) -> None:
    with pytest.raises(OptionError, match="OPTIONS\\['lifeline'\\]"):
        lifeline_options(given)


@pytest.mark.parametrize(
    ("read", "name"),
    [(pool_options, field.name) for field in fields(PoolOptions)]
    + [(lifeline_options, field.name) for field in fields(LifelineOptions)],
)
def test_value_of_a_type_that_no_option_takes_is_refused_by_each(read: Any, name: str) -> None:
    with pytest.raises(OptionError, match=f"'{name}'"):
        read({name: object()})


def test_search_for_another_server_may_be_of_one_attempt() -> None:
    assert lifeline_options({"failover_timeout": 0}).failover_timeout == 0
    with pytest.raises(OptionError, match="0 or more"):
        lifeline_options({"failover_timeout": -1})


def test_unknown_target_is_refused_with_the_words_there_are() -> None:
    with pytest.raises(OptionError, match="'writable', or to 'any'"):
        lifeline_options({"target": "replica"})
