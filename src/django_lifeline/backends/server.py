"""What a server says of itself: once at the beginning, and again after a loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.effects import HIDING, SPACE, Hides
from django_lifeline.diagnosis.facts import Limits, ServerNow


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What one server says of itself, read once, in the round trip that sets up a session."""

    version: str
    sql_mode: str
    default_storage_engine: str
    sql_auto_is_null: bool
    lower_case_table_names: bool
    has_zoneinfo_database: bool
    limits: Limits
    most_sessions: int = 151
    """How many it allows at once, to all or to this account."""
    read_only: bool = False
    """Whether it took no writes when the connection was opened, unless by privilege."""
    host: str = ""
    """What the server calls itself: its host name and port."""
    client: str | None = None
    """What the server calls this client, such as ``10.0.0.7:40312``; None: it does not tell."""
    autocommit: bool = True
    """Whether a session begins with it, as far as nobody says otherwise."""
    chains: bool = False
    """Whether COMMIT and ROLLBACK begin another transaction at once (``completion_type``)."""
    init_connect: bool = False
    """Whether it has statements that it runs on new sessions, and at no reset."""
    session: int | None = None
    """Its number of the session in which it was asked; None: it does not tell."""
    hides: Hides = Hides.NOTHING
    """What of the session's database runs code that leaves something, in no statement's text."""

    QUERY = (
        "SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null,"
        " @@lower_case_table_names, @@session.autocommit, @@session.completion_type,"
        " CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL,"
        " @@session.wait_timeout, @@max_allowed_packet,"
        " @@global.wait_timeout, @@global.interactive_timeout,"
        " @@session.net_write_timeout, @@session.net_read_timeout,"
        " @@global.read_only, @@global.innodb_read_only"
    )

    @property
    def wait_timeout(self) -> float:
        """The session's ``wait_timeout``."""
        return self.limits.wait_timeout

    @property
    def max_allowed_packet(self) -> int:
        """The session's ``max_allowed_packet``, in bytes."""
        return self.limits.max_allowed_packet

    @classmethod
    def ask(
        cls,
        connection: DriverConnection,
        mistaken: type[Exception],
        *,
        client: bool = True,
        hides: Hides | None = Hides.NOTHING,
    ) -> ServerFacts:
        """Ask in one round trip; of a server that cannot tell where it stands, in two.

        ``mistaken`` is the driver's error for what a server does not know. Without *client* the
        list of sessions, which is a long one on a busy server, is not looked at, and the database
        only where *hides* is None.
        """
        seen = _of_session(connection, "host", "CONNECTION_ID()") if client else "NULL"
        place = (
            f", CONCAT(@@hostname, ':', @@port), {seen}, CONNECTION_ID(), @@init_connect,"
            " @@global.max_connections, @@max_user_connections"
        )
        if hides is None:
            try:
                return cls._ask_with_code(connection, cls.QUERY + place)
            except mistaken:
                if connection.broken or connection.closed:
                    raise
        hides = Hides.WRITES if hides is None else hides
        try:
            row = connection.run(cls.QUERY + place)[0]
        except mistaken:
            if connection.broken or connection.closed:
                raise
            row = (*connection.run(cls.QUERY)[0], "", None, None, "", 151, 0)
        return replace(cls.from_row(row), hides=hides)

    @classmethod
    def _ask_with_code(cls, connection: DriverConnection, sql: str) -> ServerFacts:
        """Ask of the session's database as well; an error where it could not be told at once."""
        *known, triggers, views = connection.run(f"{_AT_ONCE} {sql}, {_HIDING_CODE}")[0]
        if views:
            [(triggers, views)] = connection.run(f"{_AT_ONCE} {_CALLED_CODE.format(triggers)}")
        hides = Hides.ALL if views else Hides.WRITES if triggers else Hides.NOTHING
        return replace(cls.from_row(tuple(known)), hides=hides)

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> ServerFacts:
        """Build the facts from the row that `ask` gets."""
        version, sql_mode, engine, null, names, autocommit, ends, *row_left = row
        zones, *limits, host, client, session, init_connect, of_all, own = row_left
        wait, packet, global_wait, interactive, net_write, net_read, *locks = limits
        return cls(
            version=version,
            sql_mode=sql_mode,
            default_storage_engine=engine,
            sql_auto_is_null=bool(null),
            lower_case_table_names=bool(names),
            autocommit=bool(autocommit),
            chains=str(ends).upper() in ("CHAIN", "1"),
            has_zoneinfo_database=bool(zones),
            limits=Limits(
                wait_timeout=float(wait),
                global_wait_timeout=float(global_wait),
                interactive_timeout=float(interactive),
                net_write_timeout=float(net_write),
                net_read_timeout=float(net_read),
                max_allowed_packet=int(packet),
            ),
            most_sessions=min(int(of_all), int(own) or int(of_all)),
            read_only=any(str(lock).upper() not in ("0", "OFF") for lock in locks),
            host=str(host),
            client=None if client is None else str(client),
            session=None if session is None else int(session),
            init_connect=bool(init_connect),
        )

    def without_session(self) -> ServerFacts:
        """Return what is true of each of its sessions."""
        return replace(self, client=None, session=None)

    def as_django_wants(self) -> dict[str, Any]:
        """Return what Django's ``DatabaseWrapper.mysql_server_data`` holds."""
        return {
            "version": self.version,
            "sql_mode": self.sql_mode,
            "default_storage_engine": self.default_storage_engine,
            "sql_auto_is_null": self.sql_auto_is_null,
            "lower_case_table_names": self.lower_case_table_names,
            "has_zoneinfo_database": self.has_zoneinfo_database,
        }

    def passed_on(self, connection: DriverConnection) -> bool | None:
        """Whether something stands between *connection*, from which this was asked, and the server.

        The server then sees another port than the one that this side has. None: not known.
        """
        if self.client is None:
            return None
        port = connection.channel.local_port()
        seen = self.client.rpartition(":")[2]
        return seen.isdigit() and int(seen) != port if port else seen.isdigit()

    def ask_again(
        self, connection: DriverConnection, lost_id: int, seconds: float
    ) -> ServerNow | None:
        """Ask after the loss of a session, for no longer than so many seconds; None: no answer.

        ``lost_id`` is the server's number of the session, 0 where it is not known.
        """
        status = _status_table(connection)
        values = ", ".join(
            f"(SELECT variable_value FROM {status} WHERE variable_name = '{name}')"
            for name in ("Uptime", "Aborted_clients", "Aborted_connects")
        )
        sql = (
            "SELECT CONCAT(@@hostname, ':', @@port), @@global.read_only,"
            " @@global.wait_timeout, @@global.max_allowed_packet,"
            f" {_of_session(connection, 'command', str(int(lost_id)))}, {values}"
        )
        rows = connection.run_within(sql, seconds)
        if not rows or rows[0][5] is None:
            return None
        host, read_only, wait, packet, command, uptime, clients, connects = rows[0]
        return ServerNow(
            uptime=float(uptime),
            same_server=str(host) == self.host if self.host else None,
            read_only=str(read_only) in ("1", "ON"),
            aborted_clients=_number(clients),
            aborted_connects=_number(connects),
            wait_timeout=float(wait),
            max_allowed_packet=int(packet),
            lost_session=_activity(command) if lost_id else "",
        )


_AT_ONCE = "/*M!100100 SET STATEMENT lock_wait_timeout = 0 FOR */"
"""What MariaDB reads, which looks at each table, and would wait for whoever is changing one. To
others, and to proxies, which keep to one server after a SET that they do not know, it is a comment.
"""
_HIDES = f"REGEXP '{HIDING.replace(SPACE, '[[:space:]]')}'"
_FUNCTIONS = (
    "information_schema.routines WHERE routine_schema = DATABASE()"
    f" AND routine_type = 'FUNCTION' AND COALESCE(LOWER(routine_definition) {_HIDES}, TRUE)"
)
"""Those that do, or whose code is not shown to this account."""
_HIDING_CODE = (
    "EXISTS (SELECT 1 FROM information_schema.triggers WHERE event_object_schema = DATABASE()"
    f" AND LOWER(action_statement) {_HIDES}),"
    f" EXISTS (SELECT 1 FROM {_FUNCTIONS})"
)
"""SQL for whether triggers leave something in a session, and whether functions do. They are shown
to accounts that may make them."""
_CALLS = "REGEXP CONCAT('[^a-z0-9_$]', LOWER(routine_name), '`?[ ]*[(]')"
_ANY_FUNCTION = (
    "information_schema.routines WHERE routine_schema = DATABASE() AND routine_type = 'FUNCTION'"
)
_CALLED_CODE = (
    f"SELECT {{}} OR EXISTS (SELECT 1 FROM {_ANY_FUNCTION} AND EXISTS (SELECT 1 FROM"
    " information_schema.triggers WHERE event_object_schema = DATABASE()"
    f" AND LOWER(action_statement) {_CALLS})),"
    f" EXISTS (SELECT 1 FROM {_ANY_FUNCTION} AND EXISTS (SELECT 1 FROM"
    " information_schema.views WHERE table_schema = DATABASE()"
    f" AND LOWER(view_definition) {_CALLS}))"
)
"""The same of triggers that call a function, and whether views do, where there is one that leaves
something: it may be called by another one. Filled in with what is known of triggers."""


def is_mariadb(connection: DriverConnection) -> bool:
    """Whether the server is a MariaDB, whatever version it hides behind."""
    return "mariadb" in connection.server_version.lower()


def _of_session(connection: DriverConnection, column: str, session: str) -> str:
    """Return SQL for what the list of sessions says of one of them; NULL where it is not in it."""
    ask = f"(SELECT {column} FROM {{}}.processlist WHERE id = {session})"
    information = ask.format("information_schema")
    if is_mariadb(connection):
        return information
    # MySQL's newer table is empty where performance_schema is off. The older one is to go, and to
    # read it may take long: it waits for each session that is being authenticated anew.
    newer = ask.format("performance_schema")
    return f"IF(@@global.performance_schema, {newer}, {information})"


def _status_table(connection: DriverConnection) -> str:
    schema = "information_schema" if is_mariadb(connection) else "performance_schema"
    return f"{schema}.global_status"


def _activity(command: object) -> str:
    return "gone" if command is None else str(command).lower()


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
