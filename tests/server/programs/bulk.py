"""Bulk operations against a server that takes one megabyte at a time."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

from django.db import connections, models
from django.test.utils import CaptureQueriesContext
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import Checks, Row, database, outcome, say, told

from django_lifeline.backends.sizes import literal_size

MEGABYTE = 1 << 20
checks = Checks()


class Page(models.Model):
    """A row with what can be long."""

    slug = models.CharField(max_length=40, unique=True)
    body = models.TextField(default="")
    picture = models.BinaryField(default=b"")
    facts = models.JSONField(default=dict)
    readers: Any = models.ManyToManyField(Row)

    class Meta:
        app_label = "toolbox"
        db_table = "page"


def pages(count: int, **values: Any) -> list[Page]:
    """Pages that differ in their slugs."""
    return [Page(slug=f"page-{number}", **values) for number in range(count)]


@contextlib.contextmanager
def counted(alias: str) -> Iterator[CaptureQueriesContext]:
    """Count the statements that write rows."""
    with CaptureQueriesContext(connections[alias]) as queries:
        yield queries


def writes(queries: CaptureQueriesContext) -> int:
    """How many of the statements wrote."""
    return sum(query["sql"].startswith(("INSERT", "UPDATE")) for query in queries)


def created(alias: str, rows: list[Page], **options: Any) -> list[Any]:
    """What became of a ``bulk_create``, how many rows are stored, and the statements."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    with counted(alias) as queries:
        result = outcome(lambda: len(objects.bulk_create(rows, **options)))
    connections[alias].close()
    return [result, objects.count(), writes(queries)]


@checks
def texts(alias: str) -> Any:
    """Four megabytes of text with what must be escaped and what is long in UTF-8."""
    return created(alias, pages(200, body="'\\\"ß😀" * 2000))


@checks
def pictures(alias: str) -> Any:
    """Binary values, whose escaping depends on the driver."""
    return created(alias, pages(30, picture=bytes(range(256)) * 400))


@checks
def facts(alias: str) -> Any:
    """JSON, which is several times as long as what it holds."""
    return created(alias, pages(200, facts={"words": ["ß\0"] * 800}))


@checks
def uneven(alias: str) -> Any:
    """A few long rows among many short ones."""
    rows = pages(1500)
    for row in rows[::500]:
        row.body = "x" * 600_000
    return created(alias, rows)


@checks
def small_batch_size(alias: str) -> Any:
    """The user's own batch size, smaller than need be."""
    return created(alias, pages(10, body="short"), batch_size=2)


@checks
def large_batch_size(alias: str) -> Any:
    """The user's own batch size, larger than what fits."""
    return created(alias, pages(100, body="x" * 50_000), batch_size=90)


@checks
def conflicts_ignored(alias: str) -> Any:
    """Rows that are there already are left alone."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    objects.bulk_create(pages(10, body="old"))
    rows = pages(100, body="x" * 50_000)
    result = outcome(lambda: len(objects.bulk_create(rows, ignore_conflicts=True)))
    connections[alias].close()
    return [result, objects.count(), objects.filter(body="old").count()]


@checks
def conflicts_updated(alias: str) -> Any:
    """Rows that are there already are updated."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    objects.bulk_create(pages(10, body="old"))
    rows = pages(100, body="x" * 50_000)
    result = outcome(
        lambda: len(objects.bulk_create(rows, update_conflicts=True, update_fields=["body"]))
    )
    connections[alias].close()
    return [result, objects.count(), objects.filter(body="old").count()]


@checks
def updated(alias: str) -> Any:
    """``bulk_update`` of long values."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    objects.bulk_create(pages(60), batch_size=10)
    rows = list(objects.all())
    for row in rows:
        row.body, row.facts = "'" * 20_000, {"n": row.pk}
    with counted(alias) as queries:
        result = outcome(lambda: objects.bulk_update(rows, ["body", "facts"]))
    connections[alias].close()
    return [result, objects.filter(body__startswith="'").count(), writes(queries)]


@checks
def updated_with_expressions(alias: str) -> Any:
    """``bulk_update`` with values that the server computes."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    objects.bulk_create(pages(60), batch_size=10)
    rows = list(objects.all())
    for row in rows:
        row.body = models.functions.Concat(models.F("slug"), models.Value("y" * 50_000))  # type: ignore[assignment]
    result = outcome(lambda: objects.bulk_update(rows, ["body"]))
    connections[alias].close()
    return [result, objects.filter(body__startswith="page-").count()]


@checks
def updated_with_columns(alias: str) -> Any:
    """``bulk_update`` from other columns, where a value is nothing but a name."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    objects.bulk_create(pages(3))
    rows = list(objects.all())
    for row in rows:
        row.body = models.F("slug")  # type: ignore[assignment]
    result = outcome(lambda: objects.bulk_update(rows, ["body"]))
    return [result, objects.filter(body=models.F("slug")).count()]


@checks
def added(alias: str) -> Any:
    """Many-to-many rows, and nothing to split."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    page = objects.create(slug="with readers")
    rows = Row.objects.using(alias).bulk_create([Row(tag="r", number=n) for n in range(500)])
    rows = list(Row.objects.using(alias).all()) if rows[0].pk is None else rows
    with counted(alias) as queries:
        page.readers.add(*rows)
    counts = [page.readers.count(), writes(queries)]
    page.readers.clear()
    Row.objects.using(alias).all().delete()
    return counts


@checks
def one_too_large(alias: str) -> Any:
    """A row that cannot be stored at all, in every way to write it."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    secret = "secret" * 200_000
    rows = pages(5)
    rows[3].body = secret

    def said(call: Any) -> Any:
        try:
            call()
        except Exception as error:
            return [told(error), str(error)]
        return "ok"

    page = objects.create(slug="there")
    page.body = secret
    answers = {
        "bulk_create": said(lambda: objects.bulk_create(rows)),
        "save": said(lambda: page.save()),
        "update": said(lambda: objects.update(body=secret)),
        "bulk_update": said(lambda: objects.bulk_update([page], ["body"])),
        "json": said(lambda: objects.create(slug="facts", facts={"a": secret})),
        "create": said(lambda: objects.create(slug="picture", picture=secret.encode())),
    }
    connections[alias].close()
    return [answers, objects.count()]


@checks
def removed(alias: str) -> Any:
    """Deleting what others refer to, and looking many up by key."""
    objects = Page.objects.using(alias)
    objects.all().delete()
    objects.bulk_create(pages(300))
    slugs = [f"page-{n}" for n in range(300)] + [f"{n:040}" for n in range(25_000)]
    found = outcome(lambda: len(objects.in_bulk(slugs, field_name="slug")))
    connections[alias].close()
    return [found, objects.all().delete()[0]]


@checks
def many(alias: str) -> Any:
    """``executemany`` on a server that takes less at a time than PyMySQL sends."""
    admin("SET GLOBAL max_allowed_packet = %s", 64 * 1024)
    try:
        # Settings of its own, so that the engine asks the server anew.
        small = database(f"{alias} small", alias.split("-")[0], OPTIONS={"connect_timeout": 9})
        rows = [[f"{alias} {'x' * 170}", number] for number in range(1200)]

        def write() -> None:
            with connections[small].cursor() as cursor:
                cursor.executemany("INSERT INTO row_written (tag, number) VALUES (%s, %s)", rows)

        result = outcome(write)
        connections[small].close()
    finally:
        admin("SET GLOBAL max_allowed_packet = %s", MEGABYTE)
    counts = admin(
        "SELECT COUNT(*), COUNT(DISTINCT number) FROM row_written WHERE tag = %s", rows[0][0]
    )
    admin("DELETE FROM row_written")
    return [result, *counts[0]]


@checks
def literals(alias: str) -> Any:
    """Values that a driver makes longer than was said."""
    hexadecimal = SETUP["driver"] == "pymysql"
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        write = connections[alias].connection.literal

        def too_long(value: Any) -> bool:
            literal = write(value)
            # PyMySQL before 1.2 has bytes in the text.
            data = (
                literal.encode("utf-8", "surrogateescape") if isinstance(literal, str) else literal
            )
            return len(data) + len(", _binary ") > literal_size(value, hexadecimal=hexadecimal)

        source = random.Random(4)
        values: list[Any] = [bytes([n] * 50) for n in range(256)]
        values += [source.randbytes(200) for _ in range(300)]
        values += ["".join(chr(source.randrange(0xD800)) for _ in range(50)) for _ in range(300)]
        return [repr(value) for value in values if too_long(value)]


def main() -> None:
    """Run with the limit lowered; sessions that exist keep the one they began with."""
    before = admin("SELECT @@GLOBAL.max_allowed_packet")[0][0]
    admin("SET GLOBAL max_allowed_packet = %s", MEGABYTE)
    try:
        database("setup", "lifeline")
        with connections["setup"].schema_editor() as editor:
            editor.create_model(Row)
            editor.create_model(Page)
        connections["setup"].close()
        say(checks.report())
    finally:
        admin("SET GLOBAL max_allowed_packet = %s", before)


if __name__ == "__main__":
    main()
