"""Options in the wrong place, and what other pools have left."""

from __future__ import annotations

from typing import Any

import pytest

from django_lifeline.diagnosis.doctor.strays import ENTRY, in_settings, leftovers, misplaced


@pytest.mark.parametrize(
    ("entry", "name", "belongs"),
    [
        ({"pool": {"max_size": 5}}, "pool", "OPTIONS['pool']"),
        ({"POOL": True}, "POOL", "OPTIONS['pool']"),
        ({"lifeline": {}}, "lifeline", "OPTIONS['lifeline']"),
        ({"max_size": 5}, "max_size", "OPTIONS['pool']['max_size']"),
        ({"charset": "utf8mb4"}, "charset", "OPTIONS['charset']"),
        ({"CONNECT_TIMEOUT": 5}, "CONNECT_TIMEOUT", "OPTIONS['connect_timeout']"),
        ({"OPTIONS": {"max_size": 5}}, "max_size", "OPTIONS['pool']['max_size']"),
        ({"OPTIONS": {"retry_reads": False}}, "retry_reads", "OPTIONS['lifeline']['retry_reads']"),
        ({"OPTIONS": {"CONN_MAX_AGE": 5}}, "CONN_MAX_AGE", "'CONN_MAX_AGE' beside OPTIONS"),
    ],
)
def test_option_in_the_wrong_place_is_told_with_its_right_one(
    entry: dict[str, Any], name: str, belongs: str
) -> None:
    [stray] = misplaced(entry)
    assert (stray.name, stray.belongs, stray.of_a_pool) == (name, belongs, False)


def test_options_where_they_belong_are_left_in_peace() -> None:
    right: dict[str, Any] = dict.fromkeys(ENTRY) | {
        "OPTIONS": {"pool": {"max_size": 5}, "lifeline": {}, "charset": "utf8mb4"}
    }
    assert list(misplaced(right)) == []
    assert list(leftovers(right, ours=True)) == []


@pytest.mark.parametrize(
    ("entry", "name", "package"),
    [
        ({"POOL_OPTIONS": {}}, "POOL_OPTIONS", "django-db-connection-pool"),
        ({"OPTIONS": {"MAX_CONNS": 5}}, "MAX_CONNS", "django-db-geventpool"),
        ({"CONN_TIMEOUT": 5}, "CONN_TIMEOUT", ""),
    ],
)
def test_what_another_pool_left_is_told(entry: dict[str, Any], name: str, package: str) -> None:
    [stray] = leftovers({"ENGINE": "django_lifeline.backends.mysql", **entry}, ours=True)
    assert (stray.name, stray.belongs, stray.of_a_pool) == (name, package, True)


def test_pool_that_is_in_use_has_left_nothing() -> None:
    entry = {"ENGINE": "dj_db_conn_pool.backends.mysql", "POOL_OPTIONS": {}}
    assert list(leftovers(entry, ours=False)) == []


def test_this_packages_options_under_the_stock_engine_are_left_over() -> None:
    entry = {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"pool": True}}
    assert [stray.name for stray in leftovers(entry, ours=False)] == ["pool"]


def test_settings_and_apps_are_looked_at_too() -> None:
    found = list(
        in_settings(
            ["CONN_MAX_AGE", "DEBUG", "DJORM_POOL_OPTIONS"], ["shop", "django_dbconn_retry"]
        )
    )
    assert [(stray.name, stray.of_a_pool) for stray in found] == [
        ("CONN_MAX_AGE", False),
        ("DJORM_POOL_OPTIONS", True),
        ("django_dbconn_retry", True),
    ]
