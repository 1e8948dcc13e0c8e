"""What the engine sends, keeps and forgets, step by step, on a server of the test's own."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connections, transaction
from django.db.transaction import TransactionManagementError
from tests.unit.backends.fake_server import MAX_PACKET, FakeServer

from django_lifeline import connection_scope
from django_lifeline.backends import losses
from django_lifeline.backends.mysql.base import DatabaseWrapper
from django_lifeline.core.liveness import SightKind
from django_lifeline.core.pool.slot import Slot
from django_lifeline.core.session import Session
from django_lifeline.exceptions import CommitOutcomeUnknown, ConnectionLost, PacketTooLarge

Connect = Callable[..., Any]
LOST = 2013
ONE_SLOT = {"OPTIONS": {"pool": {"max_size": 1}}}


def run(wrapper: Any, sql: str, params: Any = None) -> list[Any]:
    with wrapper.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def run_many(wrapper: Any, sql: str, rows: list[list[str]]) -> None:
    with wrapper.cursor() as cursor:
        cursor.executemany(sql, rows)


def number(wrapper: Any) -> int:
    [[found]] = run(wrapper, "SELECT CONNECTION_ID()")
    return int(found)


def break_once(patch: pytest.MonkeyPatch, wrapper: Any, method: str) -> None:
    """Let something break in as the engine calls one of its methods for the first time."""

    def broken(*args: Any) -> None:
        patch.delattr(wrapper, method)
        raise KeyboardInterrupt

    patch.setattr(wrapper, method, broken, raising=False)


def break_once_in_class(patch: pytest.MonkeyPatch, kind: type, method: str) -> None:
    """The same for whatever object of a class is the first."""
    whole = getattr(kind, method)

    def broken(*args: Any) -> None:
        patch.setattr(kind, method, whole)
        raise KeyboardInterrupt

    patch.setattr(kind, method, broken)


def broken_in(*args: object) -> None:
    """Stand for any function, as something breaks in."""
    raise KeyboardInterrupt


@contextmanager
def breaks_in(*args: object) -> Iterator[None]:
    """Stand for any context manager: something breaks in as it is left."""
    yield
    raise KeyboardInterrupt


LIMIT_OF_NOW = "SELECT @@global.max_allowed_packet"


# The common case


def test_statement_is_all_that_is_sent(wrapper: Any, server: FakeServer) -> None:
    run(wrapper, "SELECT 1")
    mark = len(server.said)
    run(wrapper, "INSERT one")
    assert server.since(mark) == ["INSERT one"] and server.stored == ["one"]


def test_atomic_costs_two_commands(wrapper_in_django: Any, server: FakeServer) -> None:
    run(wrapper_in_django, "SELECT 1")
    mark = len(server.said)
    with transaction.atomic():
        run(wrapper_in_django, "INSERT one")
    assert server.since(mark) == ["START TRANSACTION", "INSERT one", "COMMIT"]


def test_statement_over_the_servers_limit_is_not_sent(wrapper: Any, server: FakeServer) -> None:
    first = number(wrapper)
    mark = len(server.said)
    with pytest.raises(PacketTooLarge):
        run(wrapper, f"INSERT {'x' * MAX_PACKET}")
    assert server.since(mark) == [LIMIT_OF_NOW] and number(wrapper) == first


@pytest.mark.parametrize("in_a_block", [False, True])
def test_limit_that_was_raised_is_noticed_by_who_needs_more(
    wrapper_in_django: Any, server: FakeServer, in_a_block: bool
) -> None:
    first, long = number(wrapper_in_django), "x" * MAX_PACKET
    server.max_packet = 2 * MAX_PACKET
    with transaction.atomic() if in_a_block else nullcontext():
        run(wrapper_in_django, f"INSERT {long}")
    assert server.stored == [long] and number(wrapper_in_django) != first


def test_session_that_is_needed_keeps_its_old_limit(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    first, long = number(wrapper_in_django), "x" * MAX_PACKET
    with transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        server.max_packet = 2 * MAX_PACKET
        with pytest.raises(PacketTooLarge):
            run(wrapper_in_django, f"INSERT {long}")
        assert number(wrapper_in_django) == first
    wrapper_in_django.close_if_unusable_or_obsolete()
    with transaction.atomic():
        run(wrapper_in_django, "INSERT two")
        run(wrapper_in_django, f"INSERT {long}")
    assert server.stored == ["one", "two", long]


def test_statement_that_is_too_long_for_the_new_limit_too_names_that(
    wrapper: Any, server: FakeServer
) -> None:
    run(wrapper, "SELECT 1")
    server.max_packet = MAX_PACKET + 1
    with pytest.raises(PacketTooLarge) as raised:
        run(wrapper, f"INSERT {'x' * 2 * MAX_PACKET}")
    assert raised.value.limit == MAX_PACKET + 1
    run(wrapper, "SELECT 1")
    assert len(server.sessions) == 2


# Errors inside a transaction


def deadlocked(wrapper: Any, server: FakeServer) -> None:
    """Run a block whose second statement is answered with a deadlock, which is swallowed."""
    server.errors["INSERT two"] = 1213
    run(wrapper, "INSERT one")
    with pytest.raises(OperationalError):
        run(wrapper, "INSERT two")


@pytest.mark.parametrize("shows", [False, True])
def test_what_follows_an_error_in_a_block_goes_with_the_blocks_rollback(
    wrapper_in_django: Any, server: FakeServer, shows: bool
) -> None:
    server.shows_transactions = shows
    with pytest.raises(LookupError), transaction.atomic():
        deadlocked(wrapper_in_django, server)
        mark = len(server.said)
        run(wrapper_in_django, "INSERT three")
        assert server.since(mark) == ["SET autocommit = 0", "INSERT three"]
        raise LookupError
    assert server.stored == []
    mark = len(server.said)
    run(wrapper_in_django, "INSERT four")
    assert server.stored == ["four"]


def test_question_after_an_error_is_put_before_anything_else(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with transaction.atomic():
        deadlocked(wrapper_in_django, server)
        mark = len(server.said)
        run(wrapper_in_django, "SHOW WARNINGS")
        assert server.since(mark) == ["SHOW WARNINGS"]


def test_statement_that_commits_runs_as_with_stock(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        mark = len(server.said)
        run(wrapper_in_django, "CREATE TABLE t (a INT)")
        assert server.since(mark) == ["SET autocommit = 0", "CREATE TABLE t (a INT)"]


def test_partly_failed_batch_is_work_that_a_loss_takes_away(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    server.errors["INSERT two"] = 1062
    hooks: list[str] = []
    with pytest.raises(ConnectionLost), transaction.atomic():
        transaction.on_commit(lambda: hooks.append("ran"))
        with pytest.raises(OperationalError):
            run_many(wrapper_in_django, "INSERT %s", [["one"], ["two"]])
        server.kill_all()
    assert not hooks and server.stored == []


# Losses


def test_dead_connection_is_replaced_before_a_statement(wrapper: Any, server: FakeServer) -> None:
    first = number(wrapper)
    server.kill_all()
    run(wrapper, "INSERT one")
    assert server.stored == ["one"] and number(wrapper) != first


def test_write_in_flight_is_not_sent_again(wrapper: Any, server: FakeServer) -> None:
    server.ends["INSERT one"] = LOST
    with pytest.raises(ConnectionLost, match="may have"):
        run(wrapper, "INSERT one")
    assert server.stored == ["one"]


def test_read_in_flight_is_repeated_once(wrapper: Any, server: FakeServer) -> None:
    server.ends["SELECT 1"] = LOST
    assert run(wrapper, "SELECT 1") == [(1,)]
    assert [sql for _, sql in server.said].count("SELECT 1") == 2


def test_write_that_met_a_goodbye_is_sent_again(wrapper: Any, server: FakeServer) -> None:
    server.ends["INSERT one"] = 4031
    run(wrapper, "INSERT one")
    assert server.stored == ["one"]


def test_batch_is_not_sent_again_whatever_became_of_its_last_part(
    wrapper: Any, server: FakeServer
) -> None:
    server.ends["INSERT two"] = 4031
    with pytest.raises(ConnectionLost):
        run_many(wrapper, "INSERT %s", [["one"], ["two"]])
    assert server.stored == ["one"]


def test_transaction_with_work_is_not_continued_elsewhere(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with pytest.raises(ConnectionLost), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        server.kill_all()
        run(wrapper_in_django, "INSERT two")
    assert server.stored == []
    run(wrapper_in_django, "INSERT three")
    assert server.stored == ["three"]


def test_transaction_without_work_is_begun_anew(wrapper_in_django: Any, server: FakeServer) -> None:
    run(wrapper_in_django, "SELECT 1")
    with pytest.raises(LookupError), transaction.atomic():
        server.kill_all()
        run(wrapper_in_django, "INSERT one")
        raise LookupError
    assert server.stored == []


def test_swallowed_loss_is_told_again_until_the_block_ends(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with pytest.raises(ConnectionLost), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        server.kill_all()
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                run(wrapper_in_django, "INSERT two")
    assert server.stored == []


# A server that refuses while it is being shut down


def shut_down(server: FakeServer, refused: str, code: int) -> None:
    """Let the server refuse this, and end the session when it is asked why."""
    server.errors[refused] = code
    server.shuts_down = True


def test_statement_refused_by_a_server_that_shuts_down_runs_on_another_connection(
    wrapper: Any, server: FakeServer
) -> None:
    run(wrapper, "INSERT one")
    shut_down(server, "INSERT two", 1047)
    run(wrapper, "INSERT two")
    assert server.stored == ["one", "two"]
    assert len(server.sessions) == 2


def test_transaction_begins_elsewhere_where_the_server_shuts_down(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    run(wrapper_in_django, "INSERT one")
    shut_down(server, "START TRANSACTION", 1047)
    with transaction.atomic():
        run(wrapper_in_django, "INSERT two")
    assert server.stored == ["one", "two"]


def test_transaction_with_work_is_lost_with_the_server_that_shuts_down(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    shut_down(server, "INSERT two", 1047)
    with pytest.raises(ConnectionLost) as raised, transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        run(wrapper_in_django, "INSERT two")
    assert raised.value.diagnosis.label.value == "rolled_back"
    run(wrapper_in_django, "INSERT three")
    assert server.stored == ["three"]


FAILED = [1180, 3100, 3101]
"""What a node says that has lost the others, of what it had sent to them and they may store."""


@pytest.mark.parametrize("code", FAILED)
def test_write_that_failed_on_a_server_that_shuts_down_is_not_repeated(
    wrapper: Any, server: FakeServer, code: int
) -> None:
    shut_down(server, "INSERT one", code)
    with pytest.raises(OperationalError, match=str(code)):
        run(wrapper, "INSERT one")
    assert server.stored == []
    run(wrapper, "INSERT two")
    assert server.stored == ["two"]


@pytest.mark.parametrize("code", FAILED)
def test_commit_that_failed_on_a_server_that_shuts_down_is_unknown(
    wrapper_in_django: Any, server: FakeServer, code: int
) -> None:
    shut_down(server, "COMMIT", code)
    with pytest.raises(CommitOutcomeUnknown), transaction.atomic():
        run(wrapper_in_django, "INSERT one")


@pytest.mark.parametrize("silent", [True, False])
def test_loss_after_a_silence_is_repeated_on_a_new_connection(
    connect: Connect, server: FakeServer, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    wrapper = connect()
    pool = wrapper.pool
    for lease in [pool.lease() for _ in range(3)]:
        pool.give_back(lease)
    monkeypatch.setattr(losses, "SILENT", 0.0 if silent else 60.0)
    server.ends["SELECT 1"] = LOST
    run(wrapper, "SELECT 1")
    assert len(server.sessions) == (4 if silent else 3)
    assert pool.stats().size == (1 if silent else 2)


@pytest.mark.parametrize("begin", ["START TRANSACTION", "SET autocommit = 0"])
def test_second_loss_of_a_beginning_is_told_as_one(
    wrapper_in_django: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    wrapper, answer = wrapper_in_django, server.answer
    run(wrapper, "SELECT 1")

    def lose(session: Any, sql: str) -> Any:
        server.ends[begin] = LOST
        return answer(session, sql)

    monkeypatch.setattr(server, "answer", lose)
    with pytest.raises(ConnectionLost) as raised:
        if begin == "START TRANSACTION":
            transaction.atomic().__enter__()
        else:
            wrapper.set_autocommit(False)
    assert raised.value.diagnosis.label.value == "not_executed"
    assert not wrapper.in_atomic_block


@pytest.mark.parametrize("given_back", [True, False])
def test_whoever_listens_to_losses_may_wait_for_another_borrower(
    connect: Connect, server: FakeServer, caplog: pytest.LogCaptureFixture, given_back: bool
) -> None:
    settings = {"OPTIONS": {"pool": {"max_size": 1, "timeout": 5}}}
    mine, heard = connect(**settings), []

    def ask() -> None:
        heard.append(run(connect(**settings), "SELECT 1"))

    class Stores(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()

    run(mine, "SELECT 1")
    if given_back:
        mine.close()
    server.kill_all()
    logger = logging.getLogger("django_lifeline")
    logger.addHandler(stores := Stores())
    try:
        with caplog.at_level(logging.INFO, "django_lifeline"):
            run(mine, "SELECT 1")
    finally:
        logger.removeHandler(stores)
    assert heard == [[(1,)]]


# COMMIT and ROLLBACK


def test_commit_without_an_answer_is_unknown(wrapper_in_django: Any, server: FakeServer) -> None:
    server.ends["COMMIT"] = LOST
    with pytest.raises(CommitOutcomeUnknown), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
    assert server.stored == ["one"]


ALONE = {
    1180: [("WSREP_ON", "ON"), ("WSREP_READY", "OFF")],
    **dict.fromkeys((3100, 3101), [("SUPER_READ_ONLY", "ON")]),
}


@pytest.mark.parametrize("code", FAILED)
def test_commit_that_a_node_without_the_others_calls_failed_is_unknown(
    wrapper_in_django: Any, server: FakeServer, code: int
) -> None:
    run(wrapper_in_django, "INSERT zero")
    server.errors["COMMIT"] = code
    server.role = ALONE[code]
    with pytest.raises(CommitOutcomeUnknown) as raised, transaction.atomic():
        run(wrapper_in_django, "INSERT one")
    diagnosis = raised.value.diagnosis
    assert (diagnosis.label.value, diagnosis.cause) == ("commit_unknown", "failover")
    number_before = len(server.sessions)
    del server.errors["COMMIT"]
    run(wrapper_in_django, "INSERT two")
    assert len(server.sessions) == number_before + 1


def test_commit_that_a_writable_server_calls_failed_is_the_servers_error(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    server.errors["COMMIT"] = 1180
    server.role = [("WSREP_ON", "ON"), ("WSREP_READY", "ON"), ("WSREP_CLUSTER_STATUS", "Primary")]
    with pytest.raises(OperationalError) as raised, transaction.atomic():
        run(wrapper_in_django, "INSERT one")
    assert not isinstance(raised.value, ConnectionLost)
    assert raised.value.args[0] == 1180


@pytest.mark.parametrize("code", FAILED)
def test_write_that_a_node_without_the_others_calls_failed_may_have_run(
    wrapper: Any, server: FakeServer, code: int
) -> None:
    run(wrapper, "INSERT zero")
    server.errors["INSERT one"] = code
    server.role = ALONE[code]
    with pytest.raises(OperationalError) as raised:
        run(wrapper, "INSERT one")
    assert raised.value.diagnosis.label.value == "unknown_effect"
    assert "INSERT one" in server.since(0) and server.since(0).count("INSERT one") == 1


def test_commit_that_cannot_be_sent_is_told_as_rolled_back(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with pytest.raises(ConnectionLost) as told, transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        server.kill_all()
    assert not isinstance(told.value, CommitOutcomeUnknown) and server.stored == []


@pytest.mark.parametrize("wanted", [False, True])
def test_block_whose_loss_was_caught_ends_in_silence_only_where_a_rollback_is_wanted(
    wrapper_in_django: Any, server: FakeServer, wanted: bool
) -> None:
    with nullcontext() if wanted else pytest.raises(ConnectionLost), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        with suppress(ConnectionLost), transaction.atomic():
            server.kill_all()
            run(wrapper_in_django, "INSERT two")
        if wanted:
            transaction.set_rollback(True)
    assert server.stored == []
    run(wrapper_in_django, "INSERT three")
    assert server.stored == ["three"]


def test_what_was_set_in_a_lost_transaction_is_missed_also_after_its_rollback(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    run(wrapper_in_django, "BEGIN")
    run(wrapper_in_django, "USE elsewhere")
    server.kill_all()
    with pytest.raises(ConnectionLost):
        run(wrapper_in_django, "INSERT one")
    run(wrapper_in_django, "ROLLBACK")
    with pytest.raises(ConnectionLost):
        run(wrapper_in_django, "INSERT two")
    run(wrapper_in_django, "USE elsewhere")
    run(wrapper_in_django, "INSERT three")
    assert server.stored == ["three"]


def test_block_that_is_to_be_rolled_back_refuses_in_djangos_words_also_once_it_is_dead(
    wrapper_in_django: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_lifeline.backends.wrapper.WARM", -1.0)  # each cursor looks
    with transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        transaction.set_rollback(True)
        server.kill_all()
        with pytest.raises(TransactionManagementError):
            run(wrapper_in_django, "INSERT two")
    run(wrapper_in_django, "INSERT three")
    assert server.stored == ["three"]


def test_lost_commit_of_what_only_read_is_a_success(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    hooks: list[str] = []
    with transaction.atomic():
        transaction.on_commit(lambda: hooks.append("ran"))
        run(wrapper_in_django, "SELECT 1")
        server.kill_all()
    assert hooks == ["ran"]


def test_session_of_a_commit_that_something_broke_into_is_ended(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    first = number(wrapper_in_django)
    server.breaks_in["COMMIT"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
    assert (first, "cut") in server.said
    run(wrapper_in_django, "INSERT two")
    assert server.stored == ["one", "two"]


@pytest.mark.parametrize("ends", ["commit", "rollback"])
@pytest.mark.parametrize("doubtful", [False, True])
def test_transaction_whose_end_was_broken_off_unsent_is_over(
    wrapper_in_django: Any,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
    doubtful: bool,
) -> None:
    server.errors["SELECT no_such_column"] = 1054
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        if doubtful:
            with pytest.raises(OperationalError):
                run(wrapper_in_django, "SELECT no_such_column")
        if ends == "rollback":
            transaction.set_rollback(True)
        break_once(monkeypatch, wrapper_in_django, f"send_{ends}")
    run(wrapper_in_django, "INSERT two")
    assert server.stored == ["two"]


@pytest.mark.parametrize("where", ["after the answer", "after all of it"])
@pytest.mark.parametrize("begin", ["atomic", "by hand"])
def test_transaction_whose_beginning_was_broken_off_is_entered_by_nobody(
    wrapper_in_django: Any,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    begin: str,
    where: str,
) -> None:
    run(wrapper_in_django, "SELECT 1")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        if where == "after the answer":
            break_once_in_class(patched, Session, "move")
        else:
            patched.setattr("django_lifeline.backends.transaction.debug_transaction", breaks_in)
            patched.setattr("django.db.backends.base.base.debug_transaction", breaks_in)
        if begin == "atomic":
            transaction.atomic().__enter__()
        else:
            transaction.set_autocommit(False)
    run(wrapper_in_django, "INSERT two")
    assert server.stored == ["two"]


def test_applications_own_transaction_outlives_an_atomic_that_was_broken_off(
    wrapper_in_django: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(wrapper_in_django, "BEGIN")
    run(wrapper_in_django, "INSERT one")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("django_lifeline.backends.transaction.debug_transaction", breaks_in)
        transaction.atomic().__enter__()
    run(wrapper_in_django, "COMMIT")
    assert server.stored == ["one"]


def test_enabling_autocommit_commits_by_a_statement_of_its_own(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    transaction.set_autocommit(False)
    run(wrapper_in_django, "INSERT one")
    mark = len(server.said)
    transaction.set_autocommit(True)
    assert server.since(mark) == ["COMMIT", "SET autocommit = 1"] and server.stored == ["one"]


@pytest.mark.parametrize("end", ["_commit", "_rollback"])
@pytest.mark.parametrize("health_checks", [False, True])
def test_block_whose_end_was_answered_is_over_though_no_connection_can_be_had(
    wrapper_in_django: Any,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    health_checks: bool,
) -> None:
    wrapper, hooks, stored = wrapper_in_django, [], end == "_commit"
    wrapper.health_check_enabled = health_checks
    wrapper.ensure_connection()
    whole = getattr(wrapper, end)

    def end_and_go_away() -> None:
        whole()
        server.kill_all()
        refused = OperationalError(2003, "Nobody listens.")
        patch.setattr(wrapper, "get_new_connection", Mock(side_effect=refused))

    with monkeypatch.context() as patch:
        patch.setattr(wrapper, end, end_and_go_away)
        with nullcontext() if stored else pytest.raises(ZeroDivisionError), transaction.atomic():
            run(wrapper, "INSERT one")
            transaction.on_commit(lambda: hooks.append("ran"))
            wrapper.health_check_done = False
            assert 1 / stored
        assert hooks == ["ran"] * stored and wrapper.autocommit
    with transaction.atomic():
        run(wrapper, "INSERT two")
    assert server.stored == ["one"] * stored + ["two"]


def test_lease_is_not_kept_by_the_error_that_follows_an_interruption(
    wrapper_in_django: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = wrapper_in_django
    gc.disable()
    try:
        with pytest.raises(ConnectionLost), transaction.atomic():
            run(wrapper, "INSERT one")
            lease = weakref.ref(wrapper._hold.lease)
            server.kill_all()
            break_once_in_class(monkeypatch, Slot, "move")
        assert lease() is None
    finally:
        gc.enable()


def test_lost_manual_transaction_refuses_everything_until_rolled_back(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    transaction.set_autocommit(False)
    run(wrapper_in_django, "INSERT one")
    server.kill_all()
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            run(wrapper_in_django, "INSERT two")
    with pytest.raises(ConnectionLost):
        transaction.commit()
    transaction.rollback()
    run(wrapper_in_django, "INSERT three")
    transaction.commit()
    assert server.stored == ["three"]


def test_loss_whose_telling_was_broken_off_ends_with_the_piece_of_work(
    wrapper_in_django: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((KeyboardInterrupt, ConnectionLost)), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        server.kill_all()
        break_once(monkeypatch, wrapper_in_django, "_drop")
    wrapper_in_django.close_if_unusable_or_obsolete()
    run(wrapper_in_django, "INSERT two")
    assert server.stored == ["two"]


# What the next borrower gets


@pytest.mark.parametrize(
    ("left", "end"),
    [
        ("INSERT one", None),
        ("SET @x = 1", "reset"),
        ("SELECT GET_LOCK('a', 1)", "reset"),
        ("CALL p()", "cut"),
        ("BEGIN", "cut"),
        ("SET time_zone = 'SYSTEM'", "reset"),
        ("USE other", "reset"),
    ],
)
def test_session_is_lent_on_only_as_it_was_new(
    wrapper: Any, connect: Connect, server: FakeServer, left: str, end: str | None
) -> None:
    first = number(wrapper)
    run(wrapper, left)
    mark = len(server.said)
    wrapper.close()
    assert server.since(mark) == [end] * (end is not None)
    assert (number(connect()) == first) is (end != "cut")


def test_scope_closes_nothing_that_is_the_threads_own(connect: Connect) -> None:
    """Without a pool ``CONN_MAX_AGE`` decides."""
    wrapper = connect(CONN_MAX_AGE=None, OPTIONS={"pool": False})
    connections["default"] = wrapper
    try:
        with connection_scope("default"):
            first = number(wrapper)
        assert number(wrapper) == first
    finally:
        del connections["default"]


@pytest.mark.parametrize(("scoped", "stays"), [(False, True), (True, False)])
def test_scope_ends_what_a_piece_of_work_would_leave(
    wrapper_in_django: Any, server: FakeServer, scoped: bool, stays: bool
) -> None:
    """With ``CONN_MAX_AGE`` it is the thread's until then."""
    wrapper_in_django.settings_dict["CONN_MAX_AGE"] = None
    first = number(wrapper_in_django)
    wrapper_in_django.close_at = None
    mark = len(server.said)
    with connection_scope("default") if scoped else nullcontext():
        run(wrapper_in_django, "SET @x = 1")
    wrapper_in_django.close_if_unusable_or_obsolete()
    assert ("reset" not in server.since(mark)) is stays
    assert wrapper_in_django._hold is None or stays
    assert number(wrapper_in_django) == first


def test_session_that_called_a_procedure_is_ended(
    wrapper: Any, connect: Connect, server: FakeServer
) -> None:
    first = number(wrapper)
    with wrapper.cursor() as cursor:
        cursor.callproc("p")
    wrapper.close()
    assert number(connect()) != first


def test_raw_commands_end_a_session_before_somebody_else_gets_it(
    wrapper: Any, connect: Connect, server: FakeServer
) -> None:
    first = number(wrapper)
    wrapper.connection.exchange(b"BEGIN")
    wrapper.close()
    assert number(connect()) != first


def test_drivers_object_that_somebody_keeps_is_lent_to_nobody(
    wrapper: Any, connect: Connect
) -> None:
    first = number(wrapper)
    kept = wrapper.connection
    wrapper.close()
    assert number(connect()) != first and kept.closed


@pytest.mark.parametrize("left", ["SET @x = 1", "BEGIN", "SET autocommit = 0"])
def test_session_is_not_trusted_where_something_broke_in_after_an_answer(
    wrapper: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    first = number(wrapper)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Session, "ran", broken_in)
        run(wrapper, left)
    wrapper.close()
    assert number(connect()) != first


def test_connection_that_died_a_moment_ago_is_replaced_where_it_is_asked_for(
    wrapper: Any, server: FakeServer
) -> None:
    first = number(wrapper)
    server.kill_all()
    wrapper.ensure_connection()
    assert wrapper.connection.server_thread_id != first


@pytest.mark.parametrize(("apart", "told"), [(0, {"server_thread_id": 1}), (7, {})])
def test_loss_names_the_servers_number_of_the_session_and_never_a_proxys(
    wrapper_in_django: Any, server: FakeServer, apart: int, told: dict[str, int]
) -> None:
    server.proxy_numbers, wrapper = apart, wrapper_in_django
    with pytest.raises(ConnectionLost) as lost, transaction.atomic():
        run(wrapper, "INSERT a")
        assert wrapper.connection.thread_id() == 1 + apart  # the driver's, as with stock Django
        server.kill_all()
        run(wrapper, "INSERT b")
    evidence = lost.value.diagnosis.evidence
    assert {name: evidence[name] for name in evidence if "thread_id" in name} == told


def test_raw_transaction_is_not_healed(wrapper: Any, server: FakeServer) -> None:
    run(wrapper, "SELECT 1")
    wrapper.connection.exchange(b"BEGIN")
    server.kill_all()
    with pytest.raises(ConnectionLost):
        run(wrapper, "INSERT one")
    assert server.stored == []


def test_resting_connection_goes_to_who_would_have_to_wait(connect: Connect) -> None:
    mine, others = connect(**ONE_SLOT), connect(**ONE_SLOT)
    assert number(mine) == number(others) == number(mine)


def test_loss_whose_telling_was_broken_off_is_not_the_next_works(wrapper: Any) -> None:
    run(wrapper, "SELECT 1")
    wrapper._work_lost = True
    wrapper._give_back(wrapper._hold)
    wrapper.connect()
    wrapper.commit()
    assert run(wrapper, "SELECT 1") == [(1,)]


def test_borrower_sees_no_number_of_the_last_one(wrapper: Any, connect: Connect) -> None:
    run(wrapper, "INSERT one")
    assert run(wrapper, "SELECT LAST_INSERT_ID()") == [(1,)]
    wrapper.close()
    assert run(connect(), "SELECT LAST_INSERT_ID()") == [(0,)]


def test_number_that_an_expression_gave_is_not_the_next_borrowers(
    wrapper: Any, connect: Connect
) -> None:
    assert run(wrapper, "SELECT LAST_INSERT_ID(57)") == [(57,)]
    wrapper.close()
    assert run(connect(), "SELECT LAST_INSERT_ID()") == [(0,)]


def test_connection_that_one_native_thread_can_use_is_lent_to_no_other(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    hubs = iter([1, 2, 1, 0])
    monkeypatch.setattr("django_lifeline.backends.lending.hub_of", lambda database: next(hubs))
    targets = [connect().target for _ in range(4)]
    assert [target.pooled for target in targets] == [True, False, True, True]
    assert targets[0] is targets[2]


def test_number_is_its_authors_though_the_connection_was_recalled(connect: Connect) -> None:
    author, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    run(author, "INSERT one")
    for _ in range(3):
        run(other, "INSERT more")
    assert run(author, "SELECT LAST_INSERT_ID()") == [(1,)]
    assert run(other, "SELECT LAST_INSERT_ID()") == [(4,)]


def test_number_is_its_authors_though_his_connection_was_renewed(
    connect: Connect, server: FakeServer
) -> None:
    wrapper = connect()
    run(wrapper, "INSERT one")
    wrapper._hold.lease.slot.expires = 0.0
    run(wrapper, "SELECT 1")
    assert len(server.sessions) == 2
    assert run(wrapper, "SELECT LAST_INSERT_ID()") == [(1,)]


def test_rows_counted_and_warnings_are_their_authors_too(
    connect: Connect, server: FakeServer
) -> None:
    author, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    run(author, "INSERT one")
    run(other, "INSERT more")
    run(author, "SELECT ROW_COUNT()")
    assert server.since(0)[-1] == "SELECT 1 AS `ROW_COUNT()`"
    run(other, "INSERT more")
    run(author, "INSERT two")
    run(other, "INSERT more")
    run(author, "SELECT 2, ROW_COUNT()")
    assert server.since(0)[-1] == "SELECT 2, (1)"


def test_rows_counted_are_the_last_reads_too(connect: Connect, server: FakeServer) -> None:
    author, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    run(author, "INSERT one")
    run(other, "INSERT more")
    run(author, "SELECT 1")
    run(other, "SELECT 1")
    run(author, "SELECT ROW_COUNT()")
    assert server.since(0)[-1] == "SELECT -1 AS `ROW_COUNT()`"
    run(other, "SELECT 1")
    assert run(author, "SELECT LAST_INSERT_ID()") == [(1,)]


def test_rows_found_of_a_recalled_session_are_not_anothers(connect: Connect) -> None:
    author, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    run(author, "SELECT 1")
    run(other, "SELECT 1")
    with pytest.raises(ConnectionLost):
        run(author, "SELECT FOUND_ROWS()")


def test_connection_rests_though_its_cursor_had_no_answer_before(connect: Connect) -> None:
    author, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    run(author, "SELECT 1")
    run(other, "SELECT 1")
    with author.cursor() as cursor:
        with pytest.raises(ConnectionLost):
            cursor.execute("SELECT FOUND_ROWS()")
        cursor.execute("SELECT 1")
        assert author._hold.resting


def test_health_is_not_checked_where_the_next_piece_of_work_has_begun(connect: Connect) -> None:
    """Django's `connect`, which it begins with at CONN_MAX_AGE = 0, says that it was."""
    wrapper = connect(CONN_HEALTH_CHECKS=True)
    run(wrapper, "SELECT 1")
    wrapper.close_if_unusable_or_obsolete()
    wrapper.ensure_connection()
    assert wrapper.health_check_done


def test_fresh_borrower_asks_about_no_statement_of_the_last_one(
    wrapper: Any, connect: Connect, server: FakeServer
) -> None:
    run(wrapper, "INSERT one")
    wrapper.close()
    mark = len(server.said)
    run(connect(), "SELECT ROW_COUNT()")
    first = "DO (SELECT 1 FROM (SELECT 1) AS one)"
    assert server.since(mark) == [first, "SELECT ROW_COUNT()"]


def test_thread_that_ends_inside_a_transaction_frees_it_at_once(
    connect: Connect, server: FakeServer
) -> None:
    wrappers: list[Any] = []

    def work() -> None:
        wrappers.append(connect())
        wrappers[0].set_autocommit(False)
        run(wrappers[0], "INSERT one")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    sight = wrappers[0]._hold.connection.channel.look()
    assert sight.kind is SightKind.CLOSED


def test_forked_child_borrows_anew(wrapper: Any, server: FakeServer) -> None:
    first = number(wrapper)
    wrapper._hold.pid = 1  # as if another process had borrowed it
    mark = len(server.said)
    assert number(wrapper) != first
    assert "quit" not in server.since(mark) and "cut" not in server.since(mark)


def test_forked_child_of_a_transaction_is_told(wrapper: Any, server: FakeServer) -> None:
    wrapper.set_autocommit(False)
    run(wrapper, "INSERT one")
    wrapper._hold.pid = 1
    with pytest.raises(ConnectionLost):
        run(wrapper, "INSERT two")
    assert [sql for _, sql in server.said].count("INSERT two") == 0


@pytest.mark.parametrize(
    "another", ["SELECT GET_LOCK('a', 1)", "SET time_zone = 'SYSTEM'", "BEGIN"]
)
def test_forked_child_takes_nothing_of_who_has_got_its_resting_connection(
    connect: Connect, another: str
) -> None:
    mine, others = connect(**ONE_SLOT), connect(**ONE_SLOT)
    run(mine, "SELECT 1")
    run(others, another)
    parents = mine._hold.connection
    mine._hold.pid = 1
    others._hold.lease.hold.clear()  # as what the parent's other threads had
    mine.pool.start_over_after_fork()
    run(mine, "INSERT one")
    assert mine._hold.settings == ()
    parents.discard()


def test_block_that_was_closed_after_a_loss_leaves_nothing_to_the_next(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with suppress(ConnectionLost), transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        connections.close_all()
        wrapper_in_django._mark_transaction_lost(Session(), None)
    run(wrapper_in_django, "INSERT two")
    assert server.stored == ["two"]


def test_forked_child_that_leaves_a_transaction_is_not_told_that_it_was_undone(
    wrapper: Any,
) -> None:
    wrapper.set_autocommit(False)
    run(wrapper, "INSERT one")
    wrapper._hold.pid = 1
    with pytest.raises(ConnectionLost) as raised:
        wrapper.commit()
    diagnosis = raised.value.diagnosis
    assert (diagnosis.label.value, diagnosis.cause) == ("not_executed", "shared_after_fork")


# Settings


def test_settings_are_made_again_the_last_of_each(wrapper: Any, server: FakeServer) -> None:
    for sql in ("USE one", "SET time_zone = 'SYSTEM'", "USE two"):
        run(wrapper, sql)
    server.kill_all()
    mark = len(server.said)
    run(wrapper, "SELECT 1")
    assert server.since(mark)[-3:] == ["SET time_zone = 'SYSTEM'", "USE two", "SELECT 1"]


def test_setting_that_cannot_be_made_again_ends_the_new_session(
    wrapper: Any, server: FakeServer
) -> None:
    run(wrapper, "SET time_zone = 'SYSTEM'")
    run(wrapper, "USE one")
    server.kill_all()
    server.errors["USE one"] = 1049
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            run(wrapper, "INSERT two")
    del server.errors["USE one"]
    run(wrapper, "INSERT three")
    assert server.stored == ["three"]
    assert server.since(0)[-3:] == ["SET time_zone = 'SYSTEM'", "USE one", "INSERT three"]


def test_connection_rests_again_where_no_transaction_was_begun_on_it(wrapper: Any) -> None:
    run(wrapper, "SELECT 1")
    error = OperationalError(1205, "Not now.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wrapper, "_start_transaction_under_autocommit", Mock(side_effect=error))
        with pytest.raises(OperationalError):
            wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    assert wrapper._hold.resting


def test_what_was_set_is_not_made_again_after_a_block_that_could_not_begin(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    """What it was going to do is not known: it may have been to set something else."""
    wrapper = wrapper_in_django
    run(wrapper, "SET time_zone = 'SYSTEM'")
    server.kill_all()
    with pytest.MonkeyPatch.context() as patch:
        refused = OperationalError(2003, "Nobody listens.")
        patch.setattr(wrapper, "get_new_connection", Mock(side_effect=refused))
        with pytest.raises(OperationalError), transaction.atomic():
            pass
    mark = len(server.said)
    with pytest.raises(ConnectionLost):
        run(wrapper, "INSERT one")
    assert not server.stored
    run(wrapper, "SET time_zone = '+05:00'")
    run(wrapper, "INSERT two")
    assert server.since(mark)[-2:] == ["SET time_zone = '+05:00'", "INSERT two"]


def test_settings_are_the_owners_and_not_the_next_borrowers(
    wrapper: Any, server: FakeServer
) -> None:
    run(wrapper, "USE one")
    wrapper.close()
    mark = len(server.said)
    for _ in range(2):  # on a new connection, and on one that takes its place
        server.kill_all()
        run(wrapper, "SELECT 1")
    assert "USE one" not in server.since(mark)


# Cursors


def test_cursor_has_a_connection_only_while_its_statement_runs(wrapper: Any) -> None:
    with wrapper.cursor() as cursor:
        drivers = cursor.cursor._below
        assert drivers.connection is None
        cursor.execute("SELECT 1")
        assert drivers.connection is None
        assert cursor.fetchall() == ((1,),)


def test_cursor_closed_late_touches_nobody(connect: Connect, server: FakeServer) -> None:
    mine, others = connect(**ONE_SLOT), connect(**ONE_SLOT)
    cursor = mine.cursor()
    cursor.execute("SELECT 1")
    run(others, "SELECT 1")
    mark = len(server.said)
    cursor.close()
    assert server.since(mark) == []


def test_cursor_after_a_failed_statement_can_be_closed(wrapper: Any, server: FakeServer) -> None:
    server.ends["INSERT one"] = LOST
    cursor = wrapper.cursor()
    with pytest.raises(ConnectionLost):
        cursor.execute("INSERT one")
    cursor.close()


def test_closed_cursor_runs_nothing(wrapper: Any, server: FakeServer) -> None:
    cursor = wrapper.cursor()
    cursor.close()
    mark = len(server.said)
    with pytest.raises(Exception, match="closed"):
        cursor.execute("INSERT one")
    assert server.since(mark) == []


# Hooks


class Traced(DatabaseWrapper):
    """An engine of somebody's own, which notes what Django calls."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.called: list[str] = []

    def get_connection_params(self) -> Any:
        self.called.append("get_connection_params")
        return super().get_connection_params()

    def get_new_connection(self, conn_params: Any) -> Any:
        self.called.append("get_new_connection")
        return super().get_new_connection(conn_params)

    def init_connection_state(self) -> None:
        self.called.append("init_connection_state")
        super().init_connection_state()

    def create_cursor(self, name: str | None = None) -> Any:
        self.called.append("create_cursor")
        return super().create_cursor(name)

    def _set_autocommit(self, autocommit: bool) -> None:
        self.called.append("_set_autocommit")
        super()._set_autocommit(autocommit)

    def _commit(self) -> None:
        self.called.append("_commit")
        super()._commit()


def test_overridden_methods_are_called_when_stock_calls_them(connect: Connect) -> None:
    wrapper = connections["default"] = connect(Traced)
    try:
        with transaction.atomic():
            run(wrapper, "INSERT one")
    finally:
        del connections["default"]
    assert wrapper.called == [
        "get_connection_params",
        "get_new_connection",
        "_set_autocommit",
        "init_connection_state",
        "_set_autocommit",
        "create_cursor",
        "_commit",
        "_set_autocommit",
    ]


class ConnectsTwice(DatabaseWrapper):
    """Begins anew where it was refused, as engines do whose password may have changed."""

    def connect(self) -> None:
        """Connect, and once more."""
        self.asked = getattr(self, "asked", 0) + 1
        self.close()
        super().connect()


def test_own_way_to_connect_is_taken_where_a_connection_is_replaced(
    connect: Connect, server: FakeServer
) -> None:
    connections["default"] = wrapper = connect(ConnectsTwice)
    try:
        hooks: list[str] = []
        run(wrapper, "SELECT 1")
        run(wrapper, "SET time_zone = '+02:00'")
        with transaction.atomic():
            transaction.on_commit(lambda: hooks.append("ran"))
            server.kill_all()
            run(wrapper, "INSERT one")
        assert (wrapper.asked, hooks, server.stored) == (2, ["ran"], ["one"])
        assert "SET time_zone = '+02:00'" in [
            sql for session, sql in server.said if session == server.sessions[-1].number
        ]
    finally:
        del connections["default"]


def test_wrapper_goes_with_its_last_reference_as_far_as_it_is_the_engines(
    connect: Connect,
) -> None:
    # From Django 6 on stock's parts let go of their wrapper, so that nothing is left to garbage
    # collection; before they hold it.
    wrapper = connect()
    run(wrapper, "SELECT 1")
    wrapper.close()
    del wrapper.wrap_database_errors
    for part in ("client", "creation", "features", "introspection", "ops", "validation"):
        getattr(wrapper, part).connection = None
    there = weakref.ref(wrapper)
    gc.disable()
    try:
        del wrapper
        assert there() is None
    finally:
        gc.enable()


def test_what_was_lost_is_missed_until_its_taking_up_is_answered(
    wrapper: Any, server: FakeServer
) -> None:
    run(wrapper, "BEGIN")
    run(wrapper, "INSERT one")
    server.kill_all()
    server.errors["BEGIN"] = 1205
    for sql, kind in (
        ("INSERT two", ConnectionLost),
        ("BEGIN", OperationalError),
        ("INSERT three", ConnectionLost),
    ):
        with pytest.raises(kind):
            run(wrapper, sql)
    del server.errors["BEGIN"]
    run(wrapper, "BEGIN")
    run(wrapper, "INSERT four")
    run(wrapper, "COMMIT")
    assert server.stored == ["four"]


def test_block_whose_connection_was_closed_hides_no_later_loss(
    wrapper_in_django: Any, server: FakeServer
) -> None:
    with transaction.atomic():
        run(wrapper_in_django, "INSERT one")
        wrapper_in_django.close()
    run(wrapper_in_django, "BEGIN")
    run(wrapper_in_django, "INSERT two")
    server.kill_all()
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            run(wrapper_in_django, "INSERT three")
    assert server.stored == []
