"""Bulk operations that stay below the server's ``max_allowed_packet``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.backends.mysql import operations as stock

from django_lifeline.backends.sizes import (
    EXPANSION,
    SHORT,
    literal_size,
    most_that_fit,
    parts_of,
    raw_size,
)

_STATEMENT = 1024
"""What a statement has besides its rows and its columns' names."""
_COLUMN = 512
"""A column's name in the list of columns, ON DUPLICATE KEY UPDATE and RETURNING."""
_PLACEHOLDER = 96
"""What some fields put round a value, such as ``ST_GeomFromText``."""

_SHORT_COLUMNS = frozenset(
    """
    AutoField BigAutoField BigIntegerField BooleanField DateField DateTimeField DecimalField
    DurationField FloatField GenericIPAddressField IntegerField PositiveBigIntegerField
    PositiveIntegerField PositiveSmallIntegerField SmallAutoField SmallIntegerField TimeField
    UUIDField
    """.split()
)


class OperationsMixin:
    """Mix in front of a MySQL ``DatabaseOperations``."""

    compiler_module = "django_lifeline.backends.compiler"
    connection: Any

    def bulk_batch_size(self, fields: Sequence[Any], objs: Sequence[Any]) -> int:
        """Return how many of *objs* go into one statement.

        Django asks this for ``bulk_create`` (and with it for many-to-many sets), ``bulk_update``,
        the related objects of what is deleted and, since 6.0, ``in_bulk``. A user's
        ``batch_size`` holds where it is smaller.
        """
        most: int = super().bulk_batch_size(fields, objs)  # type: ignore[misc]
        if len(objs) < 2 or not fields:
            return most
        rows = _Rows(self.connection, fields, objs)
        limit = _max_allowed_packet(self.connection) - _STATEMENT - _COLUMN * len(fields)
        if rows.surely_fit(limit):
            return most
        return min(most, most_that_fit(map(rows.size, objs), limit))


class DatabaseOperations(OperationsMixin, stock.DatabaseOperations):
    """Django's MySQL operations that know how much a statement may hold."""


def _max_allowed_packet(wrapper: Any) -> int:
    limit: int = wrapper.server_facts.max_allowed_packet
    return limit


@dataclass(frozen=True, slots=True)
class _Column:
    """One value of each row."""

    get: Callable[[Any], Any]
    prepare: Callable[[Any], Any]
    """What the field makes of a value for the driver."""
    short: bool
    """Whether the column's type lets no value be long."""
    times: int
    """How often a row's value stands in the statement."""
    around: int = _PLACEHOLDER
    """What may stand round a value."""


class _Rows:
    """The rows of one bulk operation, and what each of them adds to its statement."""

    def __init__(self, wrapper: Any, fields: Sequence[Any], objs: Sequence[Any]) -> None:
        self._wrapper = wrapper
        self._objs = objs
        self._hexadecimal = wrapper.Database.__name__ == "pymysql"
        keys, others = _keys_of_update(fields)
        self._columns = [self._column(field, 1) for field in _parts(others)]
        # An update has WHEN key THEN value for each field, and the key once more at its end.
        self._columns += [self._column(field, len(others) + 1) for field in _parts(keys)]
        self._fixed = sum(_name_sizes(wrapper, keys)) * len(others)

    def _column(self, field: Any, times: int) -> _Column:
        # A reference over several columns has none of its own, and a mere name neither.
        if getattr(field, "column", None) and isinstance(self._objs[0], field.model):
            return _Column(
                attrgetter(field.attname),
                lambda value: field.get_db_prep_save(value, connection=self._wrapper),
                _is_short(field),
                times,
            )
        # What rows of another table are looked for by: objects that they refer to, or keys.
        # Nothing but a comma stands round these.
        return _Column(lambda obj: getattr(obj, "pk", obj), lambda value: value, False, times, 0)

    def surely_fit(self, limit: int) -> bool:
        """Whether they fit into one statement whatever the fields make of the values.

        Looks only at the values that can be long, and at these only for their length.
        """
        total = self._fixed + SHORT * sum(column.times for column in self._columns)
        total *= len(self._objs)
        try:
            for column in self._columns:
                if not column.short and total * EXPANSION <= limit:
                    total += column.times * sum(map(raw_size, map(column.get, self._objs)))
        except ValueError:
            return False
        return total * EXPANSION <= limit

    def size(self, obj: Any) -> int:
        """Return at most how many bytes the row of *obj* takes."""
        return self._fixed + sum(
            column.times * self._value_size(column, column.get(obj)) for column in self._columns
        )

    def _value_size(self, column: _Column, value: Any) -> int:
        if hasattr(value, "resolve_expression"):
            return sum(
                _PLACEHOLDER + literal_size(getattr(part, "value", ""), hexadecimal=True)
                for part in parts_of(value)
            )
        if column.short:
            return SHORT
        return column.around + literal_size(column.prepare(value), hexadecimal=self._hexadecimal)


def _keys_of_update(fields: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Part the fields of a ``bulk_update``, which names the key twice, from its key."""
    updates = len(fields) > 2 and fields[0] is fields[1]
    return (fields[:1], fields[2:]) if updates else ((), fields)


def _parts(fields: Iterable[Any]) -> list[Any]:
    """Return the fields, those of a composite key in its place."""
    return [part for field in fields for part in getattr(field, "fields", (field,))]


def _name_sizes(wrapper: Any, keys: Iterable[Any]) -> list[int]:
    quote = wrapper.ops.quote_name
    return [
        len(f"WHEN ({quote(key.model._meta.db_table)}.{quote(key.column)} = ) THEN ".encode())
        for key in _parts(keys)
    ]


def _is_short(field: Any) -> bool:
    while field.remote_field is not None:
        field = field.target_field
    return field.get_internal_type() in _SHORT_COLUMNS
