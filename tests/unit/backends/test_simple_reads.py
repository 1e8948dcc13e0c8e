"""A plain read on a connection at rest takes a shorter way: nothing may be passed over on it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from tests.unit.backends.fake_server import FakeCursor, FakeServer, ServerSession

from django_lifeline.exceptions import ConnectionLost

READ = "SELECT 1"


def run(wrapper: Any, sql: str) -> list[Any]:
    with wrapper.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@pytest.fixture
def at_rest(wrapper: Any) -> Any:
    run(wrapper, READ)
    assert wrapper._hold.resting
    return wrapper


def test_nothing_is_sent_on_a_connection_that_has_died_at_rest(
    at_rest: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ServerSession] = []
    answer = server.answer
    monkeypatch.setattr(server, "answer", lambda *said: (asked.append(said[0]), answer(*said))[1])
    server.kill_all()
    assert run(at_rest, READ) == [(1,)]
    assert server.sessions[0] not in asked


def test_connection_that_was_idle_too_long_is_replaced(at_rest: Any, server: FakeServer) -> None:
    cursor = at_rest.cursor()  # whoever makes one looks, too
    at_rest._hold.used_at -= at_rest._hold.lease.slot.max_idle
    cursor.execute(READ)
    assert len(server.sessions) == 2


def test_connection_that_has_lived_too_long_is_replaced(at_rest: Any, server: FakeServer) -> None:
    at_rest._hold.lease.slot.expires = 0.0
    run(at_rest, READ)
    assert len(server.sessions) == 2


def test_next_piece_of_work_runs_where_its_settings_lead(at_rest: Any, server: FakeServer) -> None:
    at_rest.close_if_unusable_or_obsolete()
    at_rest.settings_dict["NAME"] = "another"
    run(at_rest, READ)
    assert len(server.sessions) == 2


def test_next_piece_of_work_sees_no_number_of_the_last_one(
    at_rest: Any, server: FakeServer
) -> None:
    run(at_rest, "INSERT one")
    at_rest.close_if_unusable_or_obsolete()
    run(at_rest, READ)
    assert run(at_rest, "SELECT LAST_INSERT_ID()") == [(0,)]
    assert len(server.sessions) == 1


def test_warnings_of_a_read_are_kept_for_its_author(
    at_rest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCursor, "warning_count", 1)
    run(at_rest, READ)
    assert at_rest._hold.keepsake.warned


def test_autocommit_that_was_not_restored_ends_the_session(at_rest: Any) -> None:
    at_rest.autocommit = False
    at_rest.close_if_unusable_or_obsolete()
    assert at_rest._hold is None


def test_driver_that_something_is_left_unread_by_is_not_asked(
    at_rest: Any, server: FakeServer
) -> None:
    at_rest._hold.connection.busy = at_rest._hold.connection._under_way = True
    assert run(at_rest, READ) == [(1,)]
    assert len(server.sessions) == 2


def test_read_in_a_block_is_work_that_a_loss_takes_away(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with pytest.raises(ConnectionLost), transaction.atomic():
        run(wrapper_in_django, READ)
        server.kill_all()
        run(wrapper_in_django, READ)
