"""A connection of the doctor's own: bounded in time, and the driver's, not the pool's."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from django_lifeline.core.effects import Effect, effect_of
from django_lifeline.diagnosis import reach
from django_lifeline.diagnosis.doctor.facts import Unreachable
from django_lifeline.diagnosis.doctor.finding import noted, remark
from django_lifeline.diagnosis.doctor.rules.server import in_grant
from django_lifeline.diagnosis.doctor.server import Link
from django_lifeline.diagnosis.pages import address
from django_lifeline.diagnosis.saying import Sayable, lines
from django_lifeline.diagnosis.text import N_

PATIENCE = 10
"""Seconds that the doctor waits for a connection or an answer."""
UNKNOWN_DATABASE = 1049
OURS = ("pool", "lifeline")
SECRETS = ("password", "passwd", "passphrase", "ssl_key_password", "server_public_key")

ADVICE = {
    1044: ("GRANT ALL ON {granted}.* TO {account};", N_("or less: {page}")),
    1045: ("", N_("correct USER and PASSWORD, or the account's host on the server")),
    1040: ("", N_("the server is full: SHOW PROCESSLIST tells who holds its connections")),
    1129: (
        "FLUSH HOSTS;",
        N_(
            "on MySQL: TRUNCATE TABLE performance_schema.host_cache; and find out which clients "
            "broke off while connecting"
        ),
    ),
    1130: ("CREATE USER {account} IDENTIFIED BY '…';", N_("and its rights: {page}")),
    2002: ("", N_("correct HOST and PORT or unix_socket, and see that the server runs")),
    2003: (
        "",
        N_("correct HOST and PORT, and see that the server runs and no firewall is between"),
    ),
    2005: ("", N_("correct HOST: the name is unknown")),
    2026: ("", N_("correct OPTIONS['ssl'] or ssl_mode, or the server's certificate")),
    2059: ("", N_("pip install PyMySQL[rsa], or change the account's authentication plugin")),
}
"""What to do about an error on connecting: a line to copy, if there is one, and a remark."""
BY_CAUSE = {
    reach.SOCKET: N_(
        "HOST means a Unix socket here: '127.0.0.1' means the network; else correct the path, and "
        "see that the server runs"
    ),
    reach.REFUSED: N_("nothing listens there: correct HOST and PORT, and see that the server runs"),
    reach.NAME: N_("correct HOST: the name is unknown"),
    reach.SILENT: N_(
        "no answer from HOST and PORT: correct them, and see that no firewall is between"
    ),
}
"""Where the driver tells why a server cannot be reached."""
DEFAULT_ADVICE = ("", N_("correct the OPTIONS that the message names"))


class CannotConnect(Exception):
    """Carries the `Unreachable` that says why."""

    def __init__(self, why: Unreachable) -> None:
        super().__init__(why.text)
        self.why = why


@contextmanager
def connected(wrapper: Any) -> Iterator[tuple[Callable[[str], list[tuple[Any, ...]]], Link]]:
    """Connect as *wrapper* would; yield a function that asks, and what our end knows.

    Raises `CannotConnect`, also where the connection is lost while it is asked.
    """
    connection = _connect(wrapper)
    with closing(connection):

        def ask(sql: str) -> list[tuple[Any, ...]]:
            with closing(connection.cursor()) as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        try:
            yield ask, _link(connection, str(wrapper.settings_dict.get("HOST") or ""))
        except wrapper.Database.Error as error:
            raise CannotConnect(_why(error, {})) from None


def without_secrets(text: str, params: Mapping[str, Any]) -> str:
    """Return *text* without any value that must not be shown."""
    for name in SECRETS:
        value = params.get(name)
        if isinstance(value, str) and value:
            text = text.replace(value, "***")
    return text


def _connect(wrapper: Any) -> Any:
    params: dict[str, Any] = {}
    try:
        given = getattr(wrapper, "params_to_connect", wrapper.get_connection_params)
        params = _bounded(given())
        return wrapper.Database.connect(**params)
    except Exception as error:
        raise CannotConnect(_why(error, params)) from None


def _bounded(given: Mapping[str, Any]) -> dict[str, Any]:
    params = {name: value for name, value in given.items() if name not in OURS}
    for name in ("connect_timeout", "read_timeout", "write_timeout"):
        params[name] = min(params.get(name) or PATIENCE, PATIENCE)
    # The rows of a streaming cursor, or of one that makes dicts, are not what is read here.
    params.pop("cursorclass", None)
    init = str(params.get("init_command") or "")
    if init and effect_of(init) is not Effect.SETS:
        # The doctor only reads. What a session is set to counts, though, so a plain SET is run.
        del params["init_command"]
    return params


def _why(error: Exception, params: Mapping[str, Any]) -> Unreachable:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    text = str(error.args[1]) if code is not None and len(error.args) > 1 else str(error)
    told = f"{type(error).__name__}: {without_secrets(text, params)}"
    return Unreachable(text=told, code=code, change=_advice(error, code, text, params))


def _advice(error: Exception, code: int | None, text: str, params: Mapping[str, Any]) -> Sayable:
    if code in (2002, 2003):
        below = error.__cause__ or error.__context__
        way = reach.by_class(type(below).__name__) or reach.by_number(reach.number_in(text))
        if way:
            return remark(BY_CAUSE[way])
    database = str(params.get("database") or params.get("db") or "your_database")
    if code == UNKNOWN_DATABASE:
        quoted = database.replace("`", "``")
        create = f"CREATE DATABASE `{quoted}` CHARACTER SET utf8mb4;"
        return lines(remark(N_("correct NAME, or:")), create)
    line, prose = ADVICE.get(code or 0, DEFAULT_ADVICE)
    account = f"'{params.get('user', 'user')}'@'%'"
    line = line.format(granted=in_grant(database), account=account)
    page = address("rights")
    return noted(line, prose, page=page) if line else remark(prose, page=page)


def _link(connection: Any, host: str) -> Link:
    return Link(
        host=host,
        local_port=_local_port(connection),
        greeting=str(connection.get_server_info()),
        thread_id=connection.thread_id(),
    )


def _local_port(connection: Any) -> int | None:
    """Ask the kernel; both drivers have the descriptor, in different places."""
    own = getattr(connection, "_sock", None)
    fd = own.fileno() if own is not None else connection.fileno()
    with socket.socket(fileno=os.dup(fd)) as copy:
        name = copy.getsockname()
    return int(name[1]) if isinstance(name, tuple) else None
