"""One limit for all pools of a server, and connections that go from one database to another.

Where the limit is reached, the connection that has been idle longest gives way. If it differs from
the one that is wanted in nothing but the name of its database, it goes on under the new name, which
costs one round trip; otherwise it is ended and a new one is opened.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django_lifeline.core.clock import SystemClock
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.effects import Effect, effect_of
from django_lifeline.core.events import Reason
from django_lifeline.core.options import LifelineOptions
from django_lifeline.core.pool import Budget

NOT_COMPARED = frozenset({"password", "passwd", "database", "db"})

_budgets: weakref.WeakValueDictionary[object, Budget[DriverConnection]] = (
    weakref.WeakValueDictionary()
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """All that tells two sessions of a server apart, but for the name of the database."""

    engine: object
    """The wrapper's class and the driver's way to connect."""
    params: Mapping[str, Any]
    isolation_level: str | None
    lifeline: LifelineOptions


def likeness(
    engine: object,
    params: Mapping[str, Any],
    isolation_level: str | None,
    lifeline: LifelineOptions,
) -> Likeness | None:
    """Return what a session opened like this is like; None: nothing can be like it.

    What runs at its beginning may look at the database, unless it only sets variables.
    """
    init = params.get("init_command")
    if not database_of(params) or init and effect_of(str(init)) is not Effect.SETS:
        return None
    compared = {name: params[name] for name in params if name not in NOT_COMPARED}
    return Likeness(engine, compared, isolation_level, lifeline)


def database_of(params: Mapping[str, Any]) -> str:
    """Return the database that a driver's parameters name; empty for none."""
    return str(params.get("database") or params.get("db") or "")


def server_of(params: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return where the server is that a driver's parameters lead to: socket or host, and port."""
    return params.get("unix_socket") or params.get("host") or "localhost", params.get("port")


def budget_of(params: Mapping[str, Any], lifeline: LifelineOptions) -> Budget[Any] | None:
    """Return the limit of the server that the driver's parameters lead to, None without one.

    Where its aliases ask for different ones, the smallest counts.
    """
    limit = lifeline.max_connections
    if limit is None:
        return None
    key = place, port = server_of(params)
    budget = _budgets.get(key)
    if budget is None:
        name = f"{place}:{port}" if port else str(place)
        budget = _budgets.setdefault(key, Budget(name, limit, SystemClock()))
    budget.limit = min(budget.limit, limit)
    return budget


def room_in(
    budget: Budget[DriverConnection], seconds: float, wanted: Likeness | None, database: str
) -> DriverConnection | None:
    """Make room for one more connection; return one for *database* that nobody needs any more.

    None: the caller has to open one, and may. Raises ``TimeoutError``.
    """
    found = budget.make_room(seconds)
    if found is None:
        return None
    pool, lease = found.pool, found.lease
    connection = lease.connection
    unfit = pool.unfit(lease)
    if unfit in (Reason.DEAD, Reason.INTERRUPTED):
        pool.discard(lease, unfit)
        return None
    if unfit is not None:
        pool.retire(lease)
        return None
    moved = False
    try:
        _rescue_answers(connection)
        if wanted is not None and connection.likeness == wanted:
            moved = _moved(connection, database)
    finally:
        if moved:
            pool.part_with(lease)
        else:
            pool.give_way(lease)
    return connection if moved else None


def _rescue_answers(connection: DriverConnection) -> None:
    """Ask what the last borrower may still want to know of his last statement."""
    keepsake, connection.keepsake = connection.keepsake, None
    if keepsake is not None and keepsake.wanted:
        try:
            keepsake.take(connection)
        except connection.Error:
            return  # who asks is told that the answer is lost


def _moved(connection: DriverConnection, database: str) -> bool:
    """Make another database the session's; False: it could not, or is not as it should be."""
    session = connection.session
    if connection.busy or not session.clean or session.arranged is not None:
        return False
    if connection.visible is not connection:
        return False
    return connection.named_database == database or connection.move_to(database)
