"""Connects with mysqlclient: a blocking connection, or under gevent a cooperative one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import MySQLdb
from MySQLdb import connections
from MySQLdb.connections import Connection as StockConnection

from django_lifeline.core.drivers import greenlets_wait_alone
from django_lifeline.core.drivers.base import OpeningSets, adopted_class, genuine, unwrapped
from django_lifeline.core.drivers.mysqlclient import OWN_CURSORS, Connection
from django_lifeline.core.liveness import SYSTEM_TCP, TcpOptions

__all__ = ["OWN_CURSORS", "adopt", "connect", "unwrap"]


def connect(params: Mapping[str, Any], *, tcp: TcpOptions = SYSTEM_TCP) -> Connection:
    """Connect with mysqlclient's parameters; ``autocommit`` is on and ``connect_timeout`` 10 s.

    ``opening_sets``, such as ``"@@session.sql_mode='ANSI'"``, travels with SET NAMES.
    Where gevent has patched sockets and threads the connection is cooperative. Where somebody has
    wrapped ``MySQLdb.connect``, or put a class of his own in the driver's place, his is called.
    Raises mysqlclient's ``OperationalError``.
    """
    options = {"autocommit": True, "connect_timeout": 10, **params}
    if _connects_otherwise():
        sets = options.pop("opening_sets", "")
        connection = adopt(MySQLdb.connect(**options), options, opening_sets=sets)
    elif greenlets_wait_alone():
        connection = _cooperative().connect(options)
    else:
        connection = Connection(**options)
    connection.channel.set_tcp(tcp)
    # As Django does: bytes are to be quoted by the driver, not by this converter.
    if connection.encoders.get(bytes) is bytes:
        connection.encoders.pop(bytes)
    return connection


def adopt(visible: Any, params: Mapping[str, Any], *, opening_sets: OpeningSets = "") -> Connection:
    """Make a connection that somebody else has opened one of ours, whatever is put round it.

    Raises `NotADriversConnection` where it is none of the driver's, and the driver's errors.
    """
    connection: Any = unwrapped(visible, StockConnection)
    if not isinstance(connection, Connection):
        guarded: Any = (
            _cooperative().CooperativeConnection if greenlets_wait_alone() else Connection
        )
        connection.__class__ = adopted_class(type(connection), guarded, StockConnection)
        connection._take_in(params, opening_sets)
    connection.visible = visible
    return connection


def unwrap(visible: Any) -> Any:
    """Return the driver's own connection below *visible*; `NotADriversConnection` if none is."""
    return unwrapped(visible, StockConnection)


_CONNECT = genuine(MySQLdb.connect, "MySQLdb")


def _connects_otherwise() -> bool:
    return MySQLdb.connect is not _CONNECT or connections.Connection is not StockConnection


def _cooperative() -> Any:
    from django_lifeline.core.drivers import cooperative

    return cooperative
