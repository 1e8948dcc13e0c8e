"""Django's MySQL compilers; those that write say which field made a statement too large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.backends.mysql import compiler as stock
from django.db.backends.mysql.compiler import SQLAggregateCompiler, SQLCompiler, SQLDeleteCompiler

from django_lifeline.backends.sizes import own_size, parts_of
from django_lifeline.exceptions import PacketTooLarge

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


class SQLInsertCompiler(stock.SQLInsertCompiler):
    """Django's, with the largest field's name in `PacketTooLarge`."""

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        """Insert; raises `PacketTooLarge` where a row is larger than the server takes."""
        try:
            return super().execute_sql(*args, **kwargs)
        except PacketTooLarge as error:
            values = (
                (field, getattr(row, field.attname))
                for row in self.query.objs
                for field in self.query.fields
            )
            _name_largest(error, self.connection, values)
            raise


class SQLUpdateCompiler(stock.SQLUpdateCompiler):
    """Django's, with the largest field's name in `PacketTooLarge`."""

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        """Update; raises `PacketTooLarge` where a value is larger than the server takes."""
        try:
            return super().execute_sql(*args, **kwargs)
        except PacketTooLarge as error:
            values = ((field, value) for field, _, value in self.query.values)
            _name_largest(error, self.connection, values)
            raise


def _name_largest(error: PacketTooLarge, wrapper: Any, values: Iterator[tuple[Any, Any]]) -> None:
    """Add to the message which field has the largest value, and how large it is."""
    sizes = [
        (_size(field, part, wrapper), str(field))
        for field, value in values
        for part in _parts(value)
    ]
    if sizes:
        size, name = max(sizes)
        number, text = error.args
        error.args = number, f"{text} The largest value in it is that of {name}: {size} bytes."


def _parts(value: Any) -> Iterator[Any]:
    """Return the values in an expression, such as the CASE of a ``bulk_update``."""
    if hasattr(value, "resolve_expression"):
        return (part.value for part in parts_of(value) if hasattr(part, "value"))
    return iter([value])


def _size(field: Any, value: Any, wrapper: Any) -> int:
    if isinstance(value, dict | list):
        value = field.get_db_prep_save(value, connection=wrapper)
    return own_size(value)
