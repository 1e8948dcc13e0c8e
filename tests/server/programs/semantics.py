"""Transactions without any loss, in every odd form that stock Django allows.

``atomic`` is START TRANSACTION … COMMIT here and SET autocommit with Django's own engine. What is
stored, and when, must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.db import connections, models, transaction
from tests.fixtures.program_setup import admin
from tests.server.programs.toolbox import Checks, Row, create_table, one, outcome, run, say

check = Checks()
INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, %s)"


class Stop(Exception):
    """The block's own exception."""


class Story:
    """What happened, step by step, and what was stored after each step."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.table = "t_" + alias.split("-")[1][:50]
        admin(f"DROP TABLE IF EXISTS {self.table}")
        self.lines: list[str] = []

    def step(self, call: Callable[[], Any]) -> None:
        """Do something; write down how it ended and what others see now."""
        said = outcome(call)
        rows = admin("SELECT number FROM row_written WHERE tag = %s ORDER BY number", self.alias)
        self.lines.append(f"{said}, stored {[number for (number,) in rows]}")

    def sql(self, text: str) -> None:
        self.step(lambda: run(self.alias, text.replace("TABLE_NAME", self.table)))

    def write(self, number: int) -> None:
        self.step(lambda: run(self.alias, INSERT, [self.alias, number]))

    def ask(self, text: str) -> None:
        self.step(lambda: one(self.alias, text))

    def block(self, *steps: Callable[[], Any], fail: bool = False, **how: Any) -> None:
        """An atomic block of these steps."""

        def atomic() -> None:
            with transaction.atomic(self.alias, **how):
                for step in steps:
                    step()
                if fail:
                    raise Stop

        try:
            self.step(atomic)
        except Stop:
            self.step(lambda: None)

    def set_autocommit(self, on: bool) -> None:
        self.step(lambda: transaction.set_autocommit(on, self.alias))

    def commit(self) -> None:
        self.step(lambda: transaction.commit(self.alias))

    def rollback(self) -> None:
        self.step(lambda: transaction.rollback(self.alias))


def told(function: Callable[[Story], None]) -> Callable[[Story], None]:
    """Make a check of a function of a story."""

    def tell(alias: str) -> Any:
        story = Story(alias)
        function(story)
        story.ask("SELECT 7")
        state = connections[alias]
        story.lines.append(f"autocommit {state.get_autocommit()}")
        return story.lines

    tell.__name__ = function.__name__
    check(tell)
    return function


@told
def plain(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.write(2))
    s.block(lambda: s.write(3), fail=True)


@told
def ddl_first(s: Story) -> None:
    s.block(lambda: s.sql("CREATE TABLE TABLE_NAME (a INT)"), lambda: s.write(1), fail=True)
    s.block(lambda: s.sql("DROP TABLE TABLE_NAME"), lambda: s.write(2))


@told
def ddl_in_the_middle(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.sql("CREATE TABLE TABLE_NAME (a INT)"),
        lambda: s.write(2),
        fail=True,
    )
    s.block(lambda: s.write(3), lambda: s.sql("DROP TABLE TABLE_NAME"), lambda: s.write(4))


@told
def ddl_twice(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.sql("CREATE TABLE TABLE_NAME (a INT)"),
        lambda: s.write(2),
        lambda: s.sql("ALTER TABLE TABLE_NAME ADD b INT"),
        lambda: s.write(3),
        fail=True,
    )


@told
def failing_ddl(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.sql("CREATE TABLE row_written (a INT)"),
        lambda: s.write(2),
        fail=True,
    )


@told
def truncate(s: Story) -> None:
    s.sql("CREATE TABLE TABLE_NAME (a INT)")
    s.block(lambda: s.write(1), lambda: s.sql("TRUNCATE TABLE_NAME"), lambda: s.write(2), fail=True)


@told
def other_implicit_commits(s: Story) -> None:
    s.sql("CREATE TABLE TABLE_NAME (a INT)")
    number = 0
    for text in (
        "CREATE INDEX i ON TABLE_NAME (a)",
        "RENAME TABLE TABLE_NAME TO TABLE_NAME_2",
        "DROP TABLE TABLE_NAME_2",
        "CREATE VIEW TABLE_NAME AS SELECT 1 AS a",
        "DROP VIEW TABLE_NAME",
        "CREATE OR REPLACE VIEW TABLE_NAME AS SELECT 2 AS a",
        "DROP VIEW TABLE_NAME",
        "CREATE DATABASE IF NOT EXISTS TABLE_NAME",
        "DROP DATABASE TABLE_NAME",
        "ANALYZE TABLE row_written",
        "OPTIMIZE TABLE row_written",
        "CHECK TABLE row_written",
        "FLUSH TABLES",
    ):
        number += 10
        s.block(
            lambda at=number: s.write(at),
            lambda text=text: s.sql(text),
            lambda at=number: s.write(at + 1),
            fail=True,
        )


@told
def temporary_table(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.sql("CREATE TEMPORARY TABLE TABLE_NAME (a INT)"),
        lambda: s.sql("INSERT INTO TABLE_NAME VALUES (1)"),
        lambda: s.write(2),
        lambda: s.sql("DROP TEMPORARY TABLE TABLE_NAME"),
        lambda: s.write(3),
        fail=True,
    )


@told
def schema_editor(s: Story) -> None:
    class Other(models.Model):
        class Meta:
            app_label = "toolbox"
            db_table = s.table

    def create() -> None:
        with connections[s.alias].schema_editor() as editor:
            editor.create_model(Other)
            editor.add_field(Other, field(Other))

    def field(model: type[models.Model]) -> models.Field[Any, Any]:
        added = models.IntegerField(default=1)
        added.set_attributes_from_name("added")
        added.model = model
        return added

    s.block(lambda: s.write(1), lambda: s.step(create), lambda: s.write(2), fail=True)


@told
def nested_with_ddl_and_rollback(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.block(
            lambda: s.write(2),
            lambda: s.sql("CREATE TABLE TABLE_NAME (a INT)"),
            lambda: s.write(3),
            fail=True,
        ),
        lambda: s.write(4),
    )


@told
def nested_with_ddl_and_release(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.block(
            lambda: s.write(2),
            lambda: s.sql("CREATE TABLE TABLE_NAME (a INT)"),
            lambda: s.write(3),
        ),
        lambda: s.write(4),
    )


@told
def nested_rollback(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.block(lambda: s.write(2), fail=True),
        lambda: s.block(lambda: s.write(3)),
        lambda: s.block(lambda: s.write(4), fail=True, savepoint=False),
        lambda: s.write(5),
    )


@told
def raw_savepoints(s: Story) -> None:
    s.block(
        lambda: s.write(1),
        lambda: s.sql("SAVEPOINT a"),
        lambda: s.write(2),
        lambda: s.sql("ROLLBACK TO SAVEPOINT a"),
        lambda: s.write(3),
        lambda: s.sql("RELEASE SAVEPOINT a"),
    )


@told
def raw_commit_inside(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.sql("COMMIT"), lambda: s.write(2), fail=True)
    s.block(lambda: s.write(3), lambda: s.sql("commit"), lambda: s.write(4))


@told
def raw_rollback_inside(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.sql("ROLLBACK"), lambda: s.write(2))
    s.block(lambda: s.write(3), lambda: s.sql("ROLLBACK"), lambda: s.write(4), fail=True)


@told
def raw_commit_first(s: Story) -> None:
    s.block(lambda: s.sql("COMMIT"), lambda: s.write(1), fail=True)


@told
def raw_begin_inside(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.sql("START TRANSACTION"), lambda: s.write(2), fail=True)
    s.block(lambda: s.write(3), lambda: s.sql("BEGIN"), lambda: s.write(4))


@told
def raw_begin_outside(s: Story) -> None:
    s.sql("BEGIN")
    s.write(1)
    s.block(lambda: s.write(2), fail=True)
    s.write(3)
    s.sql("COMMIT")
    s.sql("BEGIN")
    s.write(4)
    s.sql("ROLLBACK")
    s.write(5)


@told
def raw_begin_then_atomic(s: Story) -> None:
    s.sql("START TRANSACTION")
    s.write(1)
    s.block(lambda: s.write(2))
    s.write(3)


@told
def raw_autocommit(s: Story) -> None:
    s.sql("SET autocommit=0")
    s.write(1)
    s.sql("COMMIT")
    s.write(2)
    s.sql("ROLLBACK")
    s.write(3)
    s.sql("SET autocommit=1")
    s.write(4)


@told
def raw_autocommit_inside(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.sql("SET autocommit=1"), lambda: s.write(2), fail=True)
    s.write(3)


@told
def tables_locked_and_unlocked(s: Story) -> None:
    s.sql("CREATE TABLE TABLE_NAME (a INT)")
    s.sql("LOCK TABLES TABLE_NAME WRITE")
    s.block(lambda: s.sql("INSERT INTO TABLE_NAME VALUES (1)"), lambda: s.write(1))
    s.ask(f"SELECT COUNT(*) FROM {s.table}")
    s.sql("UNLOCK TABLES")
    s.write(2)


@told
def tables_locked_inside(s: Story) -> None:
    s.sql("CREATE TABLE TABLE_NAME (a INT)")
    s.block(
        lambda: s.write(1),
        lambda: s.sql("LOCK TABLES TABLE_NAME WRITE"),
        lambda: s.sql("INSERT INTO TABLE_NAME VALUES (1)"),
        lambda: s.sql("UNLOCK TABLES"),
        lambda: s.write(2),
        fail=True,
    )
    s.ask(f"SELECT COUNT(*) FROM {s.table}")


def counting(s: Story) -> None:
    """Tells REPEATABLE READ from READ COMMITTED."""
    s.ask("SELECT COUNT(*) FROM row_written WHERE tag = 'outside'")
    admin("INSERT INTO row_written (tag, number) VALUES ('outside', 1)")
    s.ask("SELECT COUNT(*) FROM row_written WHERE tag = 'outside'")


@told
def isolation_of_a_block(s: Story) -> None:
    admin("DELETE FROM row_written WHERE tag = 'outside'")
    s.block(lambda: counting(s))
    s.block(lambda: s.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"), lambda: counting(s))
    s.block(lambda: counting(s))


@told
def isolation_set_too_late(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
    s.write(2)


@told
def isolation_before_a_block(s: Story) -> None:
    admin("DELETE FROM row_written WHERE tag = 'outside'")
    s.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    s.block(lambda: counting(s))
    s.block(lambda: counting(s))


@told
def read_only_block(s: Story) -> None:
    s.block(lambda: s.sql("SET TRANSACTION READ ONLY"), lambda: s.write(1))
    s.write(2)


@told
def raw_read_only_transaction(s: Story) -> None:
    s.sql("START TRANSACTION READ ONLY")
    s.write(1)
    s.sql("COMMIT")
    s.write(2)


@told
def manual(s: Story) -> None:
    s.set_autocommit(False)
    s.write(1)
    s.rollback()
    s.write(2)
    s.commit()
    s.write(3)
    s.sql("CREATE TABLE TABLE_NAME (a INT)")
    s.write(4)
    s.rollback()
    s.write(5)
    s.set_autocommit(True)
    s.write(6)


@told
def manual_with_blocks(s: Story) -> None:
    s.set_autocommit(False)
    s.write(1)
    s.block(lambda: s.write(2))
    s.block(lambda: s.write(3), fail=True)
    s.write(4)
    s.commit()
    s.block(lambda: s.write(5))
    s.rollback()
    s.set_autocommit(True)


@told
def manual_with_raw_sql(s: Story) -> None:
    s.set_autocommit(False)
    s.write(1)
    s.sql("COMMIT")
    s.write(2)
    s.sql("ROLLBACK")
    s.write(3)
    s.sql("START TRANSACTION")
    s.write(4)
    s.rollback()
    s.set_autocommit(True)


@told
def procedure_that_commits(s: Story) -> None:
    def call() -> None:
        with connections[s.alias].cursor() as cursor:
            cursor.callproc("commit_now")

    s.block(lambda: s.write(1), lambda: s.step(call), lambda: s.write(2), fail=True)
    s.block(lambda: s.write(3), lambda: s.sql("CALL commit_now()"), lambda: s.write(4), fail=True)


@told
def errors_inside(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: s.sql("SELECT no_such_column"), lambda: s.write(2))
    s.block(lambda: s.write(3), lambda: s.sql("SELECT no_such_column"), fail=True)
    s.block(
        lambda: s.step(lambda: Row.objects.using(s.alias).create(id=-1, tag=s.alias, number=4)),
        lambda: s.step(lambda: Row.objects.using(s.alias).create(id=-1, tag=s.alias, number=5)),
        lambda: s.write(6),
    )
    admin("DELETE FROM row_written WHERE id = -1")


@told
def set_rollback(s: Story) -> None:
    s.block(lambda: s.write(1), lambda: transaction.set_rollback(True, s.alias))
    s.write(2)


@told
def durable_inside_another(s: Story) -> None:
    def inner() -> None:
        try:
            s.block(lambda: s.write(2), durable=True)
        except RuntimeError as error:
            s.lines.append(str(error)[:30])

    s.block(lambda: s.write(1), inner, lambda: s.write(3))


@told
def commit_hooks(s: Story) -> None:
    def hook(number: int) -> None:
        transaction.on_commit(lambda: s.write(number), using=s.alias)

    s.block(
        lambda: hook(10),
        lambda: s.write(1),
        lambda: s.block(lambda: hook(20), fail=True),
        lambda: s.block(lambda: hook(30)),
        lambda: s.sql("CREATE TABLE TABLE_NAME (a INT)"),
        lambda: hook(40),
    )
    s.block(lambda: hook(50), fail=True)


@told
def state_then_block(s: Story) -> None:
    s.sql("SET @mine = 5")
    s.block(lambda: s.write(1), lambda: s.ask("SELECT @mine"), fail=True)
    s.block(lambda: s.write(2))
    s.ask("SELECT @mine")


def main() -> None:
    create_table()
    admin("CREATE PROCEDURE commit_now() COMMIT")
    say(json.loads(json.dumps(check.report()).replace("stock-", "E-").replace("lifeline-", "E-")))


if __name__ == "__main__":
    main()
