"""Steps by SQL through Django's cursors."""

from __future__ import annotations

from typing import Any

from tests.differential.actions.place import Place, action, answer


@action
def sql(place: Place, text: str) -> Any:
    """Any statement, as it is."""
    return place.execute(text)


@action
def sql_with(place: Place, text: str, *params: Any) -> Any:
    """A statement with parameters."""
    return place.execute(text, list(params))


@action
def insert(place: Place, tag: int) -> Any:
    return place.execute("INSERT INTO item (tag) VALUES (%s)", [place.tag(tag)])


@action
def insert_ignored(place: Place, tag: int) -> Any:
    """One row goes in, the other leaves a warning."""
    return place.execute(f"INSERT IGNORE INTO item (tag) VALUES (#{tag}), (#-1)")


@action
def note(place: Place, tag: int, row: int) -> Any:
    statement = "UPDATE item SET note = CONCAT(note, %s) WHERE id = %s"
    return place.execute(statement, [f"<{tag}>", place.row(row)])


@action
def insert_many(place: Place, tag: int, number: int) -> Any:
    with place.connection.cursor() as cursor:
        rows = [(place.tag(tag + n),) for n in range(number)]
        cursor.executemany("INSERT INTO item (tag) VALUES (%s)", rows)
        return answer(cursor)


@action
def note_many(place: Place, tag: int) -> Any:
    """Two rows are changed; both drivers send a command for each."""
    with place.connection.cursor() as cursor:
        statement = "UPDATE item SET note = CONCAT(note, %s) WHERE id = %s"
        rows = [(f"<{tag + n - 1}>", place.row(n)) for n in (1, 2)]
        cursor.executemany(statement, rows)
        return answer(cursor)


@action
def note_many_failing(place: Place, tag: int) -> Any:
    """Two rows are changed before the third fails with 1062."""
    with place.connection.cursor() as cursor:
        statement = "UPDATE item SET note = CONCAT(note, %s), tag = %s WHERE id = %s"
        rows = [
            (f"<{tag}>", place.tag(-11), place.row(1)),
            (f"<{tag + 1}>", place.tag(-12), place.row(2)),
            (f"<{tag + 2}>", place.tag(-11), place.row(3)),
        ]
        cursor.executemany(statement, rows)
        return answer(cursor)


@action
def several(place: Place, *parts: str) -> Any:
    """Several statements in one text; mysqlclient lets them pass."""
    with place.connection.cursor() as cursor:
        cursor.execute(place.text("; ".join(parts)))
        answers = [answer(cursor)]
        while cursor.nextset():
            answers.append(answer(cursor))
        return answers


@action
def call(place: Place, procedure: str, *params: int) -> Any:
    with place.connection.cursor() as cursor:
        cursor.callproc(procedure, [place.tag(number) for number in params])
        answers = [answer(cursor)]
        while cursor.nextset():
            answers.append(answer(cursor))
        return answers


@action
def last_id(place: Place) -> Any:
    return place.execute("SELECT LAST_INSERT_ID()")


@action
def last_id_by_django(place: Place, tag: int) -> Any:
    with place.connection.cursor() as cursor:
        cursor.execute("INSERT INTO item (tag) VALUES (%s)", [place.tag(tag)])
        return place.connection.ops.last_insert_id(cursor, "item", "id")


@action
def row_count(place: Place) -> Any:
    return place.execute("SELECT ROW_COUNT()")


@action
def found_rows(place: Place) -> Any:
    return place.execute("SELECT FOUND_ROWS()")


@action
def warnings(place: Place) -> Any:
    names, rows, *_ = place.execute("SHOW WARNINGS")
    return [names, [row[:2] for row in rows]]
