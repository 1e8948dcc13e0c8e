"""From an entry of ``DATABASES`` to facts: what is read, and that no secret is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from django_lifeline.core.effects import Effect
from django_lifeline.core.options import PoolOptions
from django_lifeline.diagnosis.doctor.facts import Settings
from django_lifeline.diagnosis.doctor.settings import assigned, is_local, read_settings

MYSQLCLIENT: Any = SimpleNamespace(__name__="MySQLdb", version_info=(2, 2, 8, "final", 0))
PYMYSQL: Any = SimpleNamespace(
    __name__="pymysql", VERSION=(1, 1, 3, "final"), version_info=(2, 2, 8, "final", 0)
)


def read(ours: bool = False, database: Any = MYSQLCLIENT, **entry: Any) -> Settings:
    return read_settings("default", entry, database, ours=ours)


def test_drivers_tell_their_own_version() -> None:
    assert read().driver.version == (2, 2, 8)
    driver = read(database=PYMYSQL).driver
    assert (driver.name, driver.version, driver.in_c) == ("PyMySQL", (1, 1, 3), False)


def test_place_is_read_from_settings_and_options() -> None:
    place = read(HOST="db.example", PORT="3307", USER="app")
    assert (place.address, place.user, place.local) == ("db.example:3307", "app", False)
    assert read().address == "localhost:3306"
    assert read(HOST="x", OPTIONS={"unix_socket": "/run/db.sock"}).address == "/run/db.sock"
    assert read(OPTIONS={"host": "10.0.0.1", "port": 3308, "user": "u"}).address == "10.0.0.1:3308"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("/run/mysqld.sock", True),
        ("10.0.0.5", False),
        ("db.example", False),
    ],
)
def test_way_is_local_or_not(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_options_are_read() -> None:
    class SSDictCursor:
        """Streams."""

    settings = read(
        OPTIONS={
            "connect_timeout": 5,
            "read_timeout": 30.5,
            "write_timeout": 0,
            "cursorclass": SSDictCursor,
            "client_flag": 1024,
            "init_command": "SET @a = 1",
        }
    )
    assert (settings.connect_timeout, settings.read_timeout) == (5.0, 30.5)
    assert settings.write_timeout is None
    assert settings.streaming and settings.interactive
    assert settings.init_effect & Effect.PINS


def test_our_options_are_read_and_a_wrong_one_is_told() -> None:
    assert read(ours=True).pool == PoolOptions(max_overflow=None)
    assert read(ours=True, OPTIONS={"pool": {"max_size": 3}}).pool == PoolOptions(max_size=3)
    assert read(ours=True, OPTIONS={"pool": False}).pool is None
    wrong = read(ours=True, OPTIONS={"pool": {"maxsize": 3}})
    assert "Did you mean 'max_size'?" in wrong.option_error
    # The stock engine hands them to the driver, which refuses them itself.
    assert read(OPTIONS={"pool": {"maxsize": 3}}).option_error == ""


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SET wait_timeout = 5, @@session.sql_mode='x = y'", {"wait_timeout", "sql_mode"}),
        ("SET autocommit=0", {"autocommit"}),
        ("set names 'utf8'", {"names"}),
        ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", {"transaction_isolation"}),
        ("", set()),
    ],
)
def test_assigned_names_are_found(sql: str, names: set[str]) -> None:
    assert assigned(sql) == names


def test_no_secret_is_among_the_facts() -> None:
    settings = read(
        ours=True,
        PASSWORD="first-secret",
        OPTIONS={
            "passwd": "second-secret",
            "init_command": "SET @token = 'third-secret'",
            "ssl": {"key": "fourth-secret"},
        },
    )
    assert "secret" not in repr(settings)
