"""Steps by the driver's own connection, past Django."""

from __future__ import annotations

from typing import Any

from tests.differential.actions.place import Place, action, answer


def handle(place: Place) -> Any:
    place.connection.ensure_connection()
    return place.connection.connection


@action
def raw_sql(place: Place, text: str) -> Any:
    cursor = handle(place).cursor()
    try:
        cursor.execute(place.text(text))
        names, rows, count, number = answer(cursor)
        # After rows mysqlclient shows the number of an earlier statement; see docs/design.md.
        return [names, rows, count, None if names else number]
    finally:
        cursor.close()


@action
def raw_insert(place: Place, tag: int) -> Any:
    return raw_sql(place, f"INSERT INTO item (tag) VALUES (#{tag})")


@action
def raw_query(place: Place, text: str) -> Any:
    """Without a cursor."""
    connection = handle(place)
    connection.query(place.text(text))


@action
def raw_select_db(place: Place, name: str) -> None:
    handle(place).select_db(place.text(name))


@action
def raw_autocommit(place: Place, on: bool) -> None:
    handle(place).autocommit(on)


@action
def raw_begin(place: Place) -> None:
    handle(place).begin()


@action
def raw_commit(place: Place) -> None:
    handle(place).commit()


@action
def raw_rollback(place: Place) -> None:
    handle(place).rollback()


@action
def raw_touch(place: Place) -> Any:
    """Only look at it, as monitoring does."""
    return handle(place).get_autocommit() in (0, 1, True, False)
