"""Which code proves what, and why."""

from __future__ import annotations

import pytest

from django_lifeline.core import classification
from django_lifeline.core.classification import Connection, Ran, is_away, is_full, verdict

ALIVE, DEAD, OUT_OF_STEP = Connection.ALIVE, Connection.DEAD, Connection.OUT_OF_STEP
CODES = {
    name: code
    for name, code in vars(classification).items()
    if name.startswith(("CR_", "ER_", "CLOSED_")) and isinstance(code, int)
}

ROWS = [
    # code, connection, ran, transient, why
    (2006, DEAD, Ran.MAYBE, True, "a large statement may have been read before the reset came"),
    (2013, DEAD, Ran.MAYBE, True, "no answer: the row may be stored"),
    (2055, DEAD, Ran.MAYBE, True, "2013 with the system's error number"),
    (2045, DEAD, Ran.MAYBE, True, "counted as a loss by other engines"),
    (2026, DEAD, Ran.MAYBE, False, "TLS broke: at connecting a setting, later a cut"),
    (2027, OUT_OF_STEP, Ran.MAYBE, False, "the answer could not be read"),
    (2014, OUT_OF_STEP, Ran.NO, False, "refused by the client before it was sent"),
    (2020, DEAD, Ran.MAYBE, False, "the answer was too large, the statement had run"),
    (0, DEAD, Ran.MAYBE, True, "PyMySQL: closed; mysqlclient: whatever failed without a number"),
    (2002, DEAD, Ran.NO, True, "the socket is missing while the server restarts"),
    (2003, DEAD, Ran.NO, True, "nobody listens while the server restarts"),
    (2005, DEAD, Ran.NO, True, "name servers fail for a while"),
    (2012, DEAD, Ran.NO, True, "cut during the handshake"),
    (1040, ALIVE, Ran.NO, True, "others disconnect"),
    (1042, ALIVE, Ran.NO, True, "the server's own name look-up failed"),
    (1043, ALIVE, Ran.NO, True, "cut during the handshake"),
    (1203, ALIVE, Ran.NO, True, "this account's other connections end"),
    (1226, ALIVE, Ran.NO, True, "the same with a limit of the account's own"),
    (1129, ALIVE, Ran.NO, False, "blocked until somebody flushes the hosts"),
    (1130, ALIVE, Ran.NO, False, "the account does not allow this host"),
    (1044, ALIVE, Ran.NO, False, "a session that says USE gets it and lives on"),
    (1698, ALIVE, Ran.NO, False, "connecting failed: MariaDB's 1045 for another way of logging in"),
    (1045, ALIVE, Ran.NO, False, "a session without the FILE privilege gets it and lives on"),
    (1049, ALIVE, Ran.NO, False, "a session that says USE gets it and lives on"),
    (4031, DEAD, Ran.NO, True, "only an idle session gets it: it was not reading a statement"),
    (1053, DEAD, Ran.MAYBE, True, "said to busy sessions too"),
    (1927, DEAD, Ran.MAYBE, True, "COMMIT; KILL CONNECTION_ID() has committed"),
    (3169, DEAD, Ran.MAYBE, True, "killed in the middle of a statement"),
    (1152, DEAD, Ran.MAYBE, True, "aborted, before or after"),
    (1153, DEAD, Ran.NO, False, "never read whole, and just as large the next time"),
    (1156, DEAD, Ran.MAYBE, True, "LOAD DATA LOCAL reads in the middle of the statement"),
    (1158, DEAD, Ran.MAYBE, True, "LOAD DATA LOCAL reads in the middle of the statement"),
    (1159, DEAD, Ran.MAYBE, True, "LOAD DATA LOCAL reads in the middle of the statement"),
    (1160, DEAD, Ran.MAYBE, True, "writing the answer failed: it had run"),
    (1161, DEAD, Ran.MAYBE, True, "writing the answer failed: it had run"),
    (1047, ALIVE, Ran.NO, False, "Galera: the node was not ready for any statement"),
    (1180, ALIVE, Ran.MAYBE, False, "Galera: the others may have it and store it"),
    (3098, ALIVE, Ran.NO, False, "the group refuses before the statement"),
    (3100, ALIVE, Ran.MAYBE, False, "rolled back here, but the group may have it and store it"),
    (3101, ALIVE, Ran.MAYBE, False, "not certified, or left the group as it waited for that"),
    (1020, ALIVE, Ran.MAYBE, True, "InnoDB undoes it all, tables without transactions nothing"),
    (1205, ALIVE, Ran.NO, True, "the statement is rolled back"),
    (1213, ALIVE, Ran.NO, True, "the transaction is rolled back"),
    (1290, ALIVE, Ran.NO, True, "refused by a read-only server, before running"),
    (1836, ALIVE, Ran.NO, True, "refused by a read-only server, before running"),
    (1792, ALIVE, Ran.NO, False, "the session asked for READ ONLY itself"),
    (1317, ALIVE, Ran.MAYBE, False, "tables without transactions keep what was written"),
    (1969, ALIVE, Ran.MAYBE, False, "tables without transactions keep what was written"),
    (3024, ALIVE, Ran.MAYBE, False, "tables without transactions keep what was written"),
]


@pytest.mark.parametrize(
    ("code", "connection", "ran", "transient", "why"), ROWS, ids=[str(row[0]) for row in ROWS]
)
def test_code_has_the_meaning_its_row_argues_for(code, connection, ran, transient, why):
    found = verdict(code)
    assert (found.connection, found.ran, found.transient) == (connection, ran, transient), why


def test_every_named_code_has_a_row_here_and_its_own_name():
    assert set(CODES.values()) == {row[0] for row in ROWS}
    assert {code: verdict(code).name for code in CODES.values()} == {
        code: name for name, code in CODES.items()
    }


def test_names_agree_with_the_driver_where_it_knows_them():
    constants = pytest.importorskip("pymysql.constants")
    theirs = vars(constants.CR) | {f"ER_{name}": code for name, code in vars(constants.ER).items()}
    known = {name: theirs[name] for name in CODES if name in theirs}
    assert len(known) > 25
    assert known == {name: CODES[name] for name in known}


def test_no_code_proves_that_a_statement_ran():
    assert Ran.YES not in {verdict(code).ran for code in range(-1, 10000)}


@pytest.mark.parametrize("code", [1, 28, 126, 999, 1062, 1064, 1105, 1146, 3819, 4025, 45000])
def test_other_answer_of_the_server_leaves_the_connection_alive(code):
    found = verdict(code)
    assert (found.connection, found.ran, found.name) == (ALIVE, Ran.MAYBE, "unknown")


@pytest.mark.parametrize("code", [-1, 2000, 2999])
def test_other_number_of_the_client_means_a_dead_connection(code):
    found = verdict(code)
    assert (found.connection, found.ran, found.name) == (DEAD, Ran.MAYBE, "unknown")


@pytest.mark.parametrize("code", [None, "", "(0, '')", "gone away", b"2006", 2006.0, True, (2006,)])
def test_thing_that_is_no_number_says_nothing(code):
    found = verdict(code)
    assert (found.connection, found.ran, found.name) == (ALIVE, Ran.MAYBE, "unknown")


@pytest.mark.parametrize("code", [4031, 1153, 1213])
def test_server_code_that_was_no_answer_says_nothing_about_the_statement(code):
    answered, found = verdict(code), verdict(code, answered=False)
    assert answered.ran is Ran.NO
    assert found.ran is Ran.MAYBE
    assert (found.connection, found.name, found.transient) == (
        answered.connection,
        answered.name,
        answered.transient,
    )


@pytest.mark.parametrize("code", [2002, 2003, 2005, 2014])
def test_drivers_own_code_needs_no_answer_to_prove_that_nothing_ran(code):
    assert verdict(code, answered=False).ran is Ran.NO


def test_only_refusals_for_want_of_room_say_that_a_server_is_full():
    assert [code for code in range(1000, 5000) if is_full(code)] == [1040, 1203]


@pytest.mark.parametrize("code", [2002, 2003, 2005, 2006, 2012, 2013, 2055, 1053])
def test_failed_connect_to_a_server_that_is_away_may_be_tried_again(code):
    assert is_away(code)


def test_routers_greeting_for_want_of_a_server_is_one_that_is_away():
    # It sends error 2003 in place of a greeting, which libmariadb takes for a broken packet.
    assert is_away(2027)


@pytest.mark.parametrize("code", [1044, 1045, 1049, 1040, 2026, 2059, None])
def test_what_no_time_mends_is_not_away(code):
    assert not is_away(code)
