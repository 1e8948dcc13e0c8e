"""Remedies in a project's own code."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_lifeline.diagnosis.doctor.code import LONGEST, Kind, pins_in, remedies_in, scan

PATCH, REPEAT, PING, MIDDLEWARE, CLOSE = Kind


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        (
            "BaseDatabaseWrapper.ensure_connection = mine",
            PATCH,
            "BaseDatabaseWrapper.ensure_connection",
        ),
        ("base.DatabaseWrapper.is_usable = mine", PATCH, "base.DatabaseWrapper.is_usable"),
        ("utils.CursorWrapper.execute = retrying", PATCH, "utils.CursorWrapper.execute"),
        ("MySQLdb.connect = pooled", PATCH, "MySQLdb.connect"),
        ("setattr(DatabaseWrapper, 'connect', mine)", PATCH, "DatabaseWrapper.connect"),
        (
            "try:\n    run()\nexcept OperationalError as e:\n"
            "    if e.args[0] in (2006, 2013):\n        run()",
            REPEAT,
            "except OperationalError",
        ),
        (
            "try:\n    run()\nexcept Exception as e:\n"
            "    if 'gone away' in str(e):\n        connection.connect()",
            REPEAT,
            "except Exception",
        ),
        (
            "try:\n    run()\nexcept OperationalError as e:\n"
            "    if e.args[0] == CR.CR_SERVER_GONE_ERROR:\n        run()",
            REPEAT,
            "except OperationalError",
        ),
        ("connection.connection.ping(True)", PING, "connection.connection.ping"),
        (
            "class Reconnect:\n    pass\nclass CloseMiddleware:\n"
            "    def __call__(self, request):\n        connection.close()",
            MIDDLEWARE,
            "CloseMiddleware",
        ),
        (
            "def alive(get_response):\n    def serve(request):\n"
            "        close_old_connections()\n        return get_response(request)\n"
            "    return serve",
            MIDDLEWARE,
            "alive",
        ),
        ("django.db.close_old_connections()", CLOSE, "django.db.close_old_connections"),
        ("connections.close_all()", CLOSE, "connections.close_all"),
    ],
)
def test_remedy_is_found_with_its_name(text: str, kind: Kind, name: str) -> None:
    [remedy] = remedies_in(text, "shop/a.py")
    assert (remedy.kind, remedy.name, remedy.file) == (kind, name, "shop/a.py")


@pytest.mark.parametrize(
    "text",
    [
        "year = 2006",
        "try:\n    run()\nexcept ValueError:\n    year = 2013 - 1",
        "class Wrapper:\n    ensure_connection = None",
        "redis.ping()",
        "pool.close_all()",
        "def view(request):\n    connection.close()",
        "this is no Python: 2006 (",
        "DatabaseWrapper.vendor = 'x'",
    ],
)
def test_other_code_is_left_in_peace(text: str) -> None:
    assert list(remedies_in(text, "a.py")) == []


def test_folders_are_read_but_not_what_others_wrote(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    for name in ("db.py", "venv/lib.py", "tests/a.py", "test_db.py", "sub/deep.py"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("close_old_connections()\n")
    (root / "made.py").write_text("close_old_connections()\n" + "#" * LONGEST)
    found = scan((str(root),))
    assert [str(remedy) for remedy in found.remedies] == [
        "shop/db.py:1 (close_old_connections)",
        "shop/sub/deep.py:1 (close_old_connections)",
    ]


@pytest.mark.parametrize(
    ("sql", "shown", "sets"),
    [
        ("SELECT GET_LOCK('nightly', 10)", "SELECT GET_LOCK(", ()),
        ("CREATE TEMPORARY TABLE found (id INT)", "CREATE TEMPORARY TABLE found (id INT)", ()),
        ("LOCK TABLES shop_item WRITE", "LOCK TABLES shop_item WRITE", ()),
        ("SET @at = 'x'", "SET @at =", ()),
        ("SET TRANSACTION READ ONLY", "SET TRANSACTION READ ONLY", ()),
        ("SET sort_buffer_size = 1", "SET sort_buffer_size = 1", ("sort_buffer_size",)),
    ],
)
def test_statement_that_leaves_state_is_found_without_its_values(
    sql: str, shown: str, sets: tuple[str, ...]
) -> None:
    [pin] = pins_in(f"def work():\n    cursor.execute({sql!r})", "shop/a.py")
    assert (str(pin), pin.sets) == (f"shop/a.py:2 ({shown})", sets)


@pytest.mark.parametrize(
    "text",
    [
        "cursor.execute('SELECT 1')",
        "cursor.execute(statement)",
        "cursor.execute('UPDATE item SET name = 1')",
        "cursor.execute('START TRANSACTION')",
        "print('SET @a = 1')",
        "cursor.execute('SET @a = 1'",
    ],
)
def test_other_statements_are_left_in_peace(text: str) -> None:
    assert list(pins_in(text, "a.py")) == []
