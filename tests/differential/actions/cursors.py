"""Steps with cursors that are kept: opened, read in parts, closed late or never."""

from __future__ import annotations

from typing import Any

from tests.differential.actions.place import Place, action


def kept(place: Place, name: str) -> Any:
    return place.actor.kept.get(place.key(name))


@action
def cursor_open(place: Place, name: str) -> None:
    place.actor.kept[place.key(name)] = place.connection.cursor()


@action
def cursor_execute(place: Place, name: str, text: str) -> Any:
    cursor = kept(place, name)
    if cursor is None:
        return "none"
    cursor.execute(place.text(text))
    return [[column[0] for column in cursor.description or ()], cursor.rowcount]


@action
def cursor_call(place: Place, name: str, procedure: str) -> Any:
    cursor = kept(place, name)
    if cursor is None:
        return "none"
    cursor.callproc(procedure)
    return cursor.rowcount


@action
def cursor_fetch(place: Place, name: str, number: int) -> Any:
    """One row, so many rows, or with 0 all that are left."""
    cursor = kept(place, name)
    if cursor is None:
        return "none"
    if number == 1:
        return cursor.fetchone()
    return cursor.fetchall() if number == 0 else cursor.fetchmany(size=number)


@action
def cursor_nextset(place: Place, name: str) -> Any:
    cursor = kept(place, name)
    return "none" if cursor is None else bool(cursor.nextset())


@action
def cursor_scroll(place: Place, name: str, rows: int) -> Any:
    cursor = kept(place, name)
    return "none" if cursor is None else cursor.scroll(rows)


@action
def cursor_tell(place: Place, name: str) -> Any:
    cursor = kept(place, name)
    if cursor is None:
        return "none"
    return [cursor.rowcount, cursor.lastrowid, cursor.description is None]


@action
def cursor_close(place: Place, name: str) -> Any:
    cursor = place.actor.kept.pop(place.key(name), None)
    return "none" if cursor is None else cursor.close()
