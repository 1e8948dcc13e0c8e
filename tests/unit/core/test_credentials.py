"""What counts as credentials, and how long they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from django_lifeline.core.credentials import (
    SPARE,
    Credentials,
    NotCredentials,
    credentials_of,
    password_in,
)

SECRET = "hidden-word"
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (SECRET, Credentials(SECRET)),
        (("shop", SECRET), Credentials(SECRET, "shop")),
        ((None, SECRET), Credentials(SECRET)),
        (Credentials(SECRET, expires_at=NOW), Credentials(SECRET, expires_at=NOW)),
    ],
)
def test_password_alone_or_with_a_user_or_an_end_is_taken(answer: object, taken: object) -> None:
    assert credentials_of(answer) == taken


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "it gave None"),
        (SECRET.encode(), "it gave a bytes"),
        ([SECRET], "it gave a list"),
        (7, "it gave an int"),
        ((SECRET,), "it gave a tuple of 1"),
        (("shop", SECRET, NOW), "it gave a tuple of 3"),
        (("shop", SECRET.encode()), "the password is a bytes"),
        ((7, SECRET), "the user is an int"),
    ],
)
def test_anything_else_is_refused_by_its_kind_alone(answer: object, said: str) -> None:
    with pytest.raises(NotCredentials, match=said) as refused:
        credentials_of(answer)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("end", [datetime(2027, 1, 15), "soon", True])
def test_end_that_is_no_moment_is_refused(end: Any) -> None:
    with pytest.raises(NotCredentials, match="'expires_at'"):
        Credentials(SECRET, expires_at=end)


@pytest.mark.parametrize("end", [NOW, datetime.fromtimestamp(NOW, UTC)])
def test_it_holds_until_shortly_before_its_end(end: Any) -> None:
    given = Credentials(SECRET, expires_at=end)
    assert given.holds(NOW - SPARE - 1) and not given.is_over(NOW - SPARE - 1)
    assert given.is_over(NOW - SPARE) and not given.holds(NOW - SPARE)


def test_without_an_end_it_is_asked_for_each_time_and_never_over() -> None:
    given = Credentials(SECRET)
    assert not given.holds(NOW) and not given.is_over(NOW)


def test_it_takes_the_place_of_what_the_settings_hold() -> None:
    params = {"user": "old", "passwd": "old", "password": "old", "host": "db"}
    assert Credentials(SECRET).put_into(params) == {
        "user": "old",
        "password": SECRET,
        "host": "db",
    }
    assert Credentials(SECRET, "shop").put_into(params)["user"] == "shop"
    assert params["password"] == "old"


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"])
def test_last_newline_of_a_file_is_no_part_of_the_password(text: str) -> None:
    assert password_in(text).password == SECRET
    assert password_in(f" {text}").password == f" {SECRET}"


def test_no_secret_is_in_its_repr() -> None:
    given = Credentials(SECRET, "shop", NOW)
    assert SECRET not in f"{given!r} {given}"
