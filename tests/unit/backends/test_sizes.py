"""What is said of a value's size is never less than what a driver makes of it."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pymysql.converters
import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_lifeline.backends.sizes import (
    EXPANSION,
    SHORT,
    literal_size,
    most_that_fit,
    own_size,
    raw_size,
)

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\n\r\x1a\"'\\😀ß"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda parts: st.lists(parts) | st.dictionaries(texts, parts),
)
short_values = (
    st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none()
    | st.booleans()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.decimals(-(10**20), 10**20, places=8)
    | st.uuids().map(lambda value: value.hex)
)
BETWEEN = len(", _binary ")


def by_pymysql(value: Any) -> int:
    # Before 1.2 bytes are put among the text as lone surrogates.
    return len(pymysql.converters.escape_item(value, "utf8mb4").encode(errors="surrogateescape"))


def by_mysqlclient(value: Any) -> int:
    """What the C library makes of a value on a connection, for whose escaping it needs one."""
    data = value if isinstance(value, bytes) else value.encode()
    rest = data.decode("utf-8", "replace").replace("\ufffd", "")
    # Every byte that is part of no character may be doubled, and so is what has a special meaning.
    broken = len(data) - len(rest.encode())
    return len(data) + max(broken, 0) + sum(data.count(c) for c in b"\0\n\r\x1a\"'\\") + 2


@given(texts | st.binary())
def test_long_value_is_never_longer_than_said(value: Any) -> None:
    assert by_pymysql(value) + BETWEEN <= literal_size(value, hexadecimal=True)
    assert by_mysqlclient(value) + BETWEEN <= literal_size(value, hexadecimal=False)


@given(short_values)
def test_short_value_fits_into_what_is_reckoned_for_one(value: Any) -> None:
    assert by_pymysql(value) + 2 <= SHORT
    assert by_pymysql(value) + 2 <= literal_size(value, hexadecimal=True)


@given(json_values)
def test_json_grows_by_no_more_than_the_expansion(value: Any) -> None:
    literal = by_pymysql(json.dumps(value)) - len("''")
    assert literal <= raw_size(value) * EXPANSION + SHORT


@given(texts | st.binary())
def test_plain_value_grows_by_no_more_than_the_expansion(value: Any) -> None:
    assert by_pymysql(value) <= raw_size(value) * EXPANSION + SHORT


def test_value_that_only_its_field_understands_has_no_raw_size() -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        raw_size([datetime.date(2020, 1, 1)])


def test_memoryview_counts_its_bytes() -> None:
    view = memoryview(b"abcd").cast("H")
    assert raw_size(view) == 4
    assert own_size(view) == 4
    assert literal_size(view, hexadecimal=True) > 8


@pytest.mark.parametrize(("value", "size"), [("ä😀", 6), (b"ab", 2), (Decimal("1E+3"), 4)])
def test_own_size_is_that_of_the_value_before_escaping(value: Any, size: int) -> None:
    assert own_size(value) == size


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 60))
def test_any_neighbours_fit_together_unless_one_is_too_large_alone(
    sizes: list[int], limit: int
) -> None:
    most = most_that_fit(sizes, limit)

    def fits(count: int) -> bool:
        windows = (sizes[n : n + count] for n in range(len(sizes) - count + 1))
        return all(sum(window) <= limit for window in windows)

    assert 1 <= most <= len(sizes)
    assert most == 1 or fits(most)
    assert most == len(sizes) or not fits(most + 1)
