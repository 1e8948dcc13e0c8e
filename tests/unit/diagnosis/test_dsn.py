"""A DSN on the command line."""

from __future__ import annotations

import pytest

from django_lifeline.diagnosis.dsn import entry_from_dsn
from django_lifeline.diagnosis.usage import UsageError


def test_dsn_becomes_an_entry_of_databases() -> None:
    entry = entry_from_dsn(
        "mysql://app%40x:p%2Fw@db.example:3307/shop?read_timeout=30&ssl_mode=REQUIRED"
        '&CONN_MAX_AGE=null&pool={"max_size":%205}&CONN_HEALTH_CHECKS=True'
    )
    assert entry == {
        "ENGINE": "django.db.backends.mysql",
        "HOST": "db.example",
        "PORT": "3307",
        "NAME": "shop",
        "USER": "app@x",
        "PASSWORD": "p/w",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"read_timeout": 30, "ssl_mode": "REQUIRED", "pool": {"max_size": 5}},
    }


def test_dsn_may_name_a_socket_and_an_engine() -> None:
    entry = entry_from_dsn("mariadb:///shop?unix_socket=/run/x.sock&ENGINE=some.engine")
    assert entry["ENGINE"] == "some.engine"
    assert entry["OPTIONS"] == {"unix_socket": "/run/x.sock"}


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgres://u:the-secret@h/n", "mysql://"),
        ("mysql://u:the-secret@h:port/n", "port"),
        ("mysql://u:the-secret@h:99999/n", "port"),
        ("mysql:///n?password=the-secret", "names no host"),
        ("the-secret", "mysql://"),
    ],
)
def test_wrong_dsn_is_refused_without_showing_it(dsn: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        entry_from_dsn(dsn)
    assert words in str(raised.value)
    assert "the-secret" not in str(raised.value)
