"""What is under way when the fault strikes: all through the ORM, as users write it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.management import call_command
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F, Sum

from tests.sweep.paper.models import Sheet
from tests.sweep.work import CLEAN, START, Rows, Stage, Workload


class Undo(Exception):
    """Makes a block roll back."""


def _rows(*added: tuple[str, int], without: str = "") -> Rows:
    return tuple(sorted([*(row for row in START if row[0] not in without), *added]))


def iteration(stage: Stage) -> Any:
    return sorted(sheet.name for sheet in Sheet.objects.all())


def exists(stage: Stage) -> Any:
    return Sheet.objects.filter(name="b").exists()


def aggregate(stage: Stage) -> Any:
    return Sheet.objects.aggregate(total=Sum("number"))["total"]


def iterator(stage: Stage) -> Any:
    return sorted(sheet.name for sheet in Sheet.objects.iterator(chunk_size=2))


def refresh(stage: Stage) -> Any:
    sheet = Sheet(pk=2, name="stale")
    sheet.refresh_from_db()
    return sheet.name


def update(stage: Stage) -> Any:
    return Sheet.objects.filter(name="b").update(number=F("number") + 10)


def delete(stage: Stage) -> Any:
    return Sheet.objects.filter(name="b").delete()[0]


def create(stage: Stage) -> Any:
    Sheet.objects.create(name="new", number=9)


def create_two(stage: Stage) -> Any:
    Sheet.objects.create(name="new", number=9)
    Sheet.objects.create(name="second", number=9)


def save(stage: Stage) -> Any:
    sheet = Sheet.objects.get(name="b")
    sheet.number += 10
    sheet.save()


def bulk_create(stage: Stage) -> Any:
    Sheet.objects.bulk_create(
        [Sheet(name="new", number=n) for n in (7, 8, 9)],
        batch_size=2,
    )


def get_or_create(stage: Stage) -> Any:
    return Sheet.objects.get_or_create(name="new", defaults={"number": 9})[1]


def update_or_create(stage: Stage) -> Any:
    return Sheet.objects.update_or_create(name="b", defaults={"number": 12})[1]


def lock_and_write(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        sheet = Sheet.objects.select_for_update().get(name="b")
        sheet.number += 10
        sheet.save(update_fields=["number"])


def block_that_writes(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        Sheet.objects.create(name="new", number=9)


def block_that_reads(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        return Sheet.objects.count()


def block_with_two_writes(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        Sheet.objects.create(name="new", number=8)
        Sheet.objects.filter(name="b").update(number=12)


def block_undone(stage: Stage) -> Any:
    try:
        with transaction.atomic(using=stage.alias):
            Sheet.objects.create(name="undone", number=9)
            raise Undo
    except Undo:
        return "undone"


def savepoint_undone(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        Sheet.objects.create(name="new", number=8)
        try:
            with transaction.atomic(using=stage.alias):
                Sheet.objects.create(name="undone", number=9)
                raise Undo
        except Undo:
            pass
        Sheet.objects.filter(name="b").update(number=12)


def savepoint_kept(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        Sheet.objects.create(name="new", number=8)
        with transaction.atomic(using=stage.alias):
            Sheet.objects.create(name="inner", number=9)


def error_swallowed(stage: Stage) -> Any:
    """The inner block's error is caught, whatever it is, and the outer one goes on."""
    with transaction.atomic(using=stage.alias):
        Sheet.objects.create(name="new", number=8)
        try:
            with transaction.atomic(using=stage.alias):
                Sheet.objects.create(pk=1, name="duplicate")
        except Exception:
            pass
        Sheet.objects.filter(name="b").update(number=12)


def commit_with_hook(stage: Stage) -> Any:
    with transaction.atomic(using=stage.alias):
        Sheet.objects.create(name="new", number=9)
        transaction.on_commit(lambda: stage.hooks.append("committed"), using=stage.alias)


def manual_transaction(stage: Stage) -> Any:
    transaction.set_autocommit(False, using=stage.alias)
    try:
        Sheet.objects.create(name="new", number=9)
        transaction.commit(using=stage.alias)
    except Exception:
        transaction.rollback(using=stage.alias)
        raise
    finally:
        try:
            transaction.set_autocommit(True, using=stage.alias)
        except Exception:
            # Else Django goes on in manual mode, as with stock.
            connections[stage.alias].close()
            raise


def dirty_session(stage: Stage) -> Any:
    """Leaves a setting behind that the next borrower must not see: the session is reset."""
    return _left_behind(stage, "SET SESSION lc_time_names = 'de_DE'", "SELECT @@lc_time_names")


def pinned_session(stage: Stage) -> Any:
    """Leaves a variable behind that the next borrower must not see: the session is ended."""
    return _left_behind(stage, "SET @left_behind := 1", "SELECT @left_behind")


def _left_behind(stage: Stage, leave: str, look: str) -> Any:
    connection = connections[stage.alias]
    with connection.cursor() as cursor:
        cursor.execute(leave)
    connection.close()
    Sheet.objects.create(name="new", number=9)
    with connection.cursor() as cursor:
        cursor.execute(look)
        found = cursor.fetchone()[0]
    # Whoever has asked for a variable may count on it.
    connection.close()
    return found


def goodbye(stage: Stage) -> Any:
    Sheet.objects.create(name="new", number=9)
    drain(stage.alias)


def drain(alias: str) -> None:
    """End all connections of this alias, politely."""
    connections[alias].close()
    if not hasattr(connections[alias], "_find_target"):
        # Django's own engine has no pool.
        return
    from django_lifeline import pools

    pools[alias].drain()


def fixture(stage: Stage) -> Any:
    call_command("loaddata", "sheets", database=stage.alias, verbosity=0)


def admin_form(stage: Stage) -> Any:
    answer = stage.client.post("/admin/paper/sheet/2/change/", {"name": "b", "number": "12"})
    return answer.status_code


def migration(stage: Stage) -> Any:
    executor = MigrationExecutor(connections[stage.alias])
    executor.migrate([("paper", "0002_note")])


NEW = _rows(("new", 9))
ADMIN_LOOK = (
    "SELECT name, number FROM paper_sheet UNION ALL "
    "SELECT 'log', COUNT(*) FROM django_admin_log ORDER BY 1, 2"
)
MIGRATION_LOOK = (
    "SELECT 'table', COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
    "AND table_name = 'paper_note' UNION ALL "
    "SELECT 'recorded', COUNT(*) FROM django_migrations WHERE app = 'paper' AND name = '0002_note'"
)
_B12 = ("b", 12)
_NOT = (("recorded", 0), ("table", 0))

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("iteration", iteration, answer=["a", "b", "c"], healed=True),
        Workload("exists", exists, answer=True, healed=True),
        Workload("aggregate", aggregate, answer=6, healed=True),
        Workload("iterator", iterator, answer=["a", "b", "c"], healed=True),
        Workload("refresh_from_db", refresh, answer="b", healed=True),
        Workload("update", update, (START, _rows(_B12, without="b")), answer=1),
        Workload("delete", delete, (START, _rows(without="b")), answer=1),
        Workload("create", create, (START, NEW)),
        Workload(
            "create_two", create_two, (START, NEW, _rows(("new", 9), ("second", 9))), whole=False
        ),
        Workload("save", save, (START, _rows(_B12, without="b"))),
        Workload("bulk_create", bulk_create, (START, _rows(*(("new", n) for n in (7, 8, 9))))),
        Workload("get_or_create", get_or_create, (START, NEW), answer=True),
        Workload(
            "update_or_create", update_or_create, (START, _rows(_B12, without="b")), answer=False
        ),
        Workload("select_for_update", lock_and_write, (START, _rows(_B12, without="b"))),
        Workload("atomic", block_that_writes, (START, NEW)),
        Workload("atomic_read", block_that_reads, answer=3),
        Workload(
            "atomic_two", block_with_two_writes, (START, _rows(("new", 8), _B12, without="b"))
        ),
        Workload("atomic_undone", block_undone, answer="undone"),
        Workload(
            "savepoint_undone", savepoint_undone, (START, _rows(("new", 8), _B12, without="b"))
        ),
        Workload("savepoint_kept", savepoint_kept, (START, _rows(("new", 8), ("inner", 9)))),
        Workload(
            "error_swallowed",
            error_swallowed,
            (START, _rows(("new", 8), _B12, without="b")),
            swallowed=_rows(_B12, without="b"),
        ),
        Workload("on_commit", commit_with_hook, (START, NEW), hooks=1),
        Workload("set_autocommit", manual_transaction, (START, NEW)),
        Workload("reset", dirty_session, (START, NEW), answer="en_US", whole=False),
        Workload("pinned", pinned_session, (START, NEW), answer=None, whole=False),
        Workload("quit", goodbye, (START, NEW)),
        Workload("loaddata", fixture, (START, _rows(("loaded", 1), ("loaded", 2)))),
        Workload(
            "admin",
            admin_form,
            (
                (*START, ("log", 0)),
                (*_rows(_B12, without="b"), ("log", 1)),
            ),
            answer=302,
            look=ADMIN_LOOK,
            clean=(CLEAN, "DELETE FROM django_admin_log"),
        ),
        Workload(
            "migration",
            migration,
            (
                _NOT,
                (("recorded", 0), ("table", 1)),
                (("recorded", 1), ("table", 1)),
            ),
            whole=False,
            look=f"SELECT * FROM ({MIGRATION_LOOK}) found ORDER BY 1",
            clean=(
                CLEAN,
                "DROP TABLE IF EXISTS paper_note",
                "DELETE FROM django_migrations WHERE app = 'paper' AND name = '0002_note'",
            ),
        ),
    )
}
for _name in ("exists", "create", "atomic"):
    WORKLOADS[f"cold_{_name}"] = replace(
        WORKLOADS[_name], name=f"cold_{_name}", cold=True, healed=False
    )
for _name in ("exists", "create", "atomic"):
    WORKLOADS[f"tls_{_name}"] = replace(WORKLOADS[f"cold_{_name}"], name=f"tls_{_name}", tls=True)
