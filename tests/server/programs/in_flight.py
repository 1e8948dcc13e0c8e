"""The connection is lost while a statement is under way: what may run again, and what was told."""

from __future__ import annotations

import os
from typing import Any

from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    Checks,
    Row,
    create_table,
    database,
    forget,
    in_thread,
    kill,
    one,
    outcome,
    run,
    say,
    session_id,
    stored,
    unread,
    unsent,
    wait_gone,
    wait_running,
    wait_until,
)

from lifeline_lab.wire import WireProxy

check = Checks()
proxy: WireProxy
INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, 1)"


def sent(fragment: str) -> int:
    """How many statements with this text have reached the proxy."""
    return sum(fragment in command.text for command in proxy.commands)


def lose(alias: str, sql: str, params: Any = None, **fault: Any) -> dict[str, Any]:
    """Run a statement that is broken off; say how it ended and how often it was sent."""
    session_id(alias)
    proxy.clear()
    mark = f"/* {alias} */"
    told = proxy.on(mark.replace("*", r"\*"), **fault)
    said = outcome(lambda: one(alias, f"{sql} {mark}", params))
    assert told.fired.is_set()
    return {"said": said, "sent": sent(mark), "next": outcome(lambda: one(alias, "SELECT 7"))}


@check
def write_without_answer(alias: str) -> Any:
    session_id(alias)
    proxy.clear()
    proxy.on("INSERT", "mid_answer")
    said = outcome(lambda: run(alias, INSERT, [alias]))
    return {"said": said, "sent": sent("INSERT"), "stored": stored(alias)}


@check
def write_cut_off_after_sending(alias: str) -> Any:
    session_id(alias)
    proxy.clear()
    proxy.on("INSERT", "after_send")
    said = outcome(lambda: Row.objects.using(alias).create(tag=alias))
    # Whether the server has stored it by now cannot be known, but a second one would be sent.
    return {"said": said, "sent": sent("INSERT"), "twice": stored(alias) > 1}


@check
def write_that_never_left_the_proxy(alias: str) -> Any:
    session_id(alias)
    proxy.clear()
    proxy.on("INSERT", "before")
    said = outcome(lambda: run(alias, INSERT, [alias]))
    return {"said": said, "stored": stored(alias)}


@check
def write_killed_in_the_middle(alias: str) -> Any:
    mark = f"middle of {alias}"
    sql = f"INSERT INTO row_written (tag, number) SELECT %s, SLEEP(30) /* {mark} */"
    session_id(alias)
    proxy.clear()
    with in_thread(lambda: kill(wait_running(mark))):
        said = outcome(lambda: run(alias, sql, [alias]))
    return {"said": said, "sent": sent(mark), "twice": stored(alias) > 1}


@check
def batch_lost_in_the_middle(alias: str) -> Any:
    # Not of the form that drivers join into one statement.
    sql = "UPDATE row_written SET number = number + 1 WHERE tag = %s"
    Row.objects.using(alias).create(tag=alias)
    proxy.clear()
    proxy.on("UPDATE", "mid_answer", nth=2)

    def batch() -> None:
        with connections[alias].cursor() as cursor:
            cursor.executemany(sql, [[alias]] * 3)

    said = outcome(batch)
    number = admin("SELECT number FROM row_written WHERE tag = %s", alias)[0][0]
    return {"said": said, "sent": sent("UPDATE"), "number": number}


@check
def plain_read(alias: str) -> Any:
    return lose(
        alias, "SELECT COUNT(*) + %s FROM row_written WHERE tag = 'x'", [7], when="after_send"
    )


@check
def plain_read_with_half_an_answer(alias: str) -> Any:
    return lose(alias, "SELECT 7", when="mid_answer", after_bytes=6)


@check
def plain_read_lost_twice(alias: str) -> Any:
    return lose(alias, "SELECT 7", when="after_send", once=False)


@check
def orm_read(alias: str) -> Any:
    Row.objects.using(alias).create(tag=alias, number=3)
    proxy.clear()
    proxy.on("SELECT .*row_written", "mid_answer", after_bytes=20)
    said = outcome(lambda: Row.objects.using(alias).get(tag=alias).number)
    return {"said": said, "sent": sent("`row_written`.`tag` =")}


@check
def locking_read(alias: str) -> Any:
    return lose(alias, "SELECT COUNT(*) FROM row_written FOR UPDATE", when="after_send")


@check
def advisory_lock(alias: str) -> Any:
    return lose(alias, "SELECT GET_LOCK(%s, 0)", [alias[:60]], when="after_send")


@check
def sleep(alias: str) -> Any:
    return lose(alias, "SELECT SLEEP(0)", when="after_send")


@check
def stored_function(alias: str) -> Any:
    return lose(alias, "SELECT write_and_count()", when="after_send")


@check
def assignment_in_a_select(alias: str) -> Any:
    return lose(alias, "SELECT @x := 7", when="after_send")


@check
def several_statements_at_once(alias: str) -> Any:
    return lose(alias, "SELECT 7; SELECT 8", when="after_send")


@check
def last_insert_id(alias: str) -> Any:
    run(alias, INSERT, [alias])
    kill(session_id(alias))
    return outcome(lambda: one(alias, "SELECT LAST_INSERT_ID()"))


@check
def read_without_permission_to_repeat(alias: str) -> Any:
    options = {"lifeline": {"retry_reads": False}}
    other = database(f"{alias} once", alias.split("-")[0], PORT=proxy.port, OPTIONS=options)
    try:
        return lose(other, "SELECT 7", when="after_send")
    finally:
        connections[other].close()


@check
def read_slower_than_read_timeout(alias: str) -> Any:
    """The server is at work on it yet when the driver gives up."""
    other = database(f"{alias} slow", alias.split("-")[0], OPTIONS={"read_timeout": 1})
    alone = outcome(lambda: one(other, SLOW)), end_slow()
    in_block = outcome(lambda: in_a_block(other, SLOW)), end_slow()
    following = outcome(lambda: one(other, "SELECT 7"))
    forget(other)
    return {"alone": alone, "in a block": in_block, "next": following}


def end_slow() -> int:
    """End the slow reads; return how many there were."""
    ids = {
        id for (id,) in admin("SELECT id FROM information_schema.processlist WHERE info = %s", SLOW)
    }
    kill(*ids)
    wait_gone(ids)
    return len(ids)


SLOW = (
    "SELECT COUNT(*) FROM information_schema.columns AS a, information_schema.columns AS b,"
    " information_schema.columns AS c WHERE a.table_name <> b.column_name"
)
"""It waits for nothing: MariaDB ends a wait for a lock whose client has gone."""


@check
def write_after_a_slow_read_in_a_block(alias: str) -> Any:
    """The block is told as lost, and whoever swallows that stores nothing by what follows."""
    other = database(f"{alias} swallowed", alias.split("-")[0], OPTIONS={"read_timeout": 1})

    def work() -> None:
        with transaction.atomic(using=other):
            outcome(lambda: one(other, SLOW))
            run(other, INSERT, [other])

    said = outcome(work)
    end_slow()
    forget(other)
    return {"said": said.split()[0], "stored": stored(other)}


def in_a_block(alias: str, sql: str) -> Any:
    """Run a read as the first statement of a block."""
    with transaction.atomic(using=alias):
        return one(alias, sql)


@check
def descriptor_closed_by_the_application(alias: str) -> Any:
    # With these PyMySQL sets the socket's timeout before whatever it sends, out of its own guard.
    options = {"read_timeout": 20, "write_timeout": 10}
    other = database(f"{alias} closed", alias.split("-")[0], PORT=proxy.port, OPTIONS=options)
    session_id(other)
    driver = connections[other].connection
    os.close(driver._sock.fileno() if SETUP["driver"] == "pymysql" else driver.fileno())
    del driver
    try:
        said = outcome(lambda: run(other, INSERT, [alias]))
    except OSError as error:
        said = f"raw {type(error).__name__}"
    following = outcome(lambda: one(other, "SELECT 7"))
    forget(other)
    return {"said": said, "stored": stored(alias), "next": following}


@check
def setting_with_a_parameter(alias: str) -> Any:
    return setting(alias, "SET SESSION lock_wait_timeout = %s", [77])


@check
def setting_without_parameters(alias: str) -> Any:
    return setting(alias, "SET SESSION lock_wait_timeout = 77", None)


def setting(alias: str, sql: str, params: Any) -> list[str]:
    """What two questions after the loss of a session with a setting are told."""
    run(alias, sql, params)
    kill(session_id(alias))
    return [outcome(lambda: one(alias, "SELECT @@lock_wait_timeout = 77")) for _ in range(2)]


@check
def write_that_meets_the_goodbye(alias: str) -> Any:
    """The server says 4031 and ends the session while the statement is on its way to it."""
    options = {
        "init_command": "SET SESSION wait_timeout=1",
        # Else the pool would replace the connection before its time.
        "pool": {"max_idle": 1000, "max_lifetime": 1000},
    }
    other = database(f"{alias} idle", alias.split("-")[0], PORT=proxy.port, OPTIONS=options)
    session = session_id(other)
    proxy.clear()
    proxy.hold()
    wait_gone({session})
    with in_thread(release_when_sent):
        said = outcome(lambda: run(other, INSERT, [alias]))
    connections[other].close()
    return {"said": said, "stored": stored(alias)}


def release_when_sent() -> None:
    wait_until(lambda: unread(proxy.port), "for the statement to be sent")
    proxy.release()


@check
def huge_write_cut_while_sending(alias: str) -> Any:
    """So long that its tail is still here when the connection is reset."""
    session_id(alias)
    proxy.clear()
    proxy.hold()
    sql = "INSERT INTO row_written (tag, number) SELECT %s, LENGTH(%s)"
    with in_thread(cut_when_stuck):
        said = outcome(lambda: run(alias, sql, [alias, "x" * 12_000_000]))
    return {"said": said, "stored": stored(alias)}


def cut_when_stuck() -> None:
    wait_until(lambda: unsent(proxy.port), "for the statement to be stuck")
    proxy.cut()
    proxy.release()


def main() -> None:
    global proxy
    host, port = SETUP["database"]["HOST"], SETUP["database"]["PORT"]
    create_table()
    admin(
        "CREATE FUNCTION write_and_count() RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA BEGIN"
        " INSERT INTO row_written (tag, number) VALUES ('function', 1); RETURN 7; END"
    )
    with WireProxy(host, port) as proxy:
        report = check.report(PORT=proxy.port)
    say(report)


if __name__ == "__main__":
    main()
