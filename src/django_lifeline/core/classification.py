"""What an error number says, and what it does not: one table from code to meaning.

Two questions are answered. May the connection be used again? Did the statement run? Most codes
that tell of a dead connection say nothing about the second: the driver numbers what *it* failed
at, sending (2006) or reading (2013), and in both cases the server may have the whole statement.
Only the phase can tell, and that is not this module's knowledge.

Messages are never looked at: they differ between servers, drivers and languages.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

# The client library's own.
CR_CONNECTION_ERROR = 2002
CR_CONN_HOST_ERROR = 2003
CR_UNKNOWN_HOST = 2005
CR_SERVER_GONE_ERROR = 2006
CR_SERVER_HANDSHAKE_ERR = 2012
CR_SERVER_LOST = 2013
CR_COMMANDS_OUT_OF_SYNC = 2014
CR_NET_PACKET_TOO_LARGE = 2020
CR_SSL_CONNECTION_ERROR = 2026
CR_MALFORMED_PACKET = 2027
CR_SERVER_LOST_EXTENDED = 2055
CR_SHARED_MEMORY_CONNECT_ABANDONED_ERROR = 2045

# The server refuses a connection.
ER_CON_COUNT_ERROR = 1040
ER_BAD_HOST_ERROR = 1042
ER_HANDSHAKE_ERROR = 1043
ER_DBACCESS_DENIED_ERROR = 1044
ER_ACCESS_DENIED_ERROR = 1045
ER_BAD_DB_ERROR = 1049
ER_HOST_IS_BLOCKED = 1129
ER_HOST_NOT_PRIVILEGED = 1130
ER_TOO_MANY_USER_CONNECTIONS = 1203
ER_USER_LIMIT_REACHED = 1226
ER_ACCESS_DENIED_NO_PASSWORD_ERROR = 1698  # MariaDB, for who logs in by other means

# The server ends a session.
ER_SERVER_SHUTDOWN = 1053
ER_ABORTING_CONNECTION = 1152
ER_NET_PACKET_TOO_LARGE = 1153
ER_NET_PACKETS_OUT_OF_ORDER = 1156
ER_NET_READ_ERROR = 1158
ER_NET_READ_INTERRUPTED = 1159
ER_NET_ERROR_ON_WRITE = 1160
ER_NET_WRITE_INTERRUPTED = 1161
ER_CONNECTION_KILLED = 1927  # MariaDB
ER_SESSION_WAS_KILLED = 3169  # MySQL
ER_CLIENT_INTERACTION_TIMEOUT = 4031

# The server ends a statement, and the session lives.
ER_CHECKREAD = 1020
ER_UNKNOWN_COM_ERROR = 1047
ER_ERROR_DURING_COMMIT = 1180
ER_LOCK_WAIT_TIMEOUT = 1205
ER_LOCK_DEADLOCK = 1213
ER_OPTION_PREVENTS_STATEMENT = 1290
ER_QUERY_INTERRUPTED = 1317
ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION = 1792
ER_READ_ONLY_MODE = 1836
ER_STATEMENT_TIMEOUT = 1969  # MariaDB
ER_QUERY_TIMEOUT = 3024  # MySQL
ER_BEFORE_DML_VALIDATION_ERROR = 3098  # Group Replication, like the next two
ER_RUN_HOOK_ERROR = 3100
ER_TRANSACTION_ROLLBACK_DURING_COMMIT = 3101

LAST_WORDS = frozenset({1053, *range(1152, 1162), 1184, 1927, 3169, 4031})
"""After these the server says no more and closes: shutting down, communication errors, the
connection killed or aborted, the idle timeout."""

CLOSED_BY_US = 0
"""PyMySQL raises ``InterfaceError(0, "")`` for a connection that is closed already."""


class Connection(enum.Enum):
    """What may still be done with the connection."""

    ALIVE = "alive"
    DEAD = "dead"
    OUT_OF_STEP = "out_of_step"
    """An answer to something else is on its way: discard it, no row of it can be trusted."""


class Ran(enum.Enum):
    """Whether the statement took effect. No error code proves ``YES``."""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one error code says."""

    connection: Connection
    ran: Ran
    name: str
    """The constant's name; ``unknown`` for what is not in the table."""
    transient: bool = False
    """Worth another try after a pause: the cause can pass without anybody changing a setting."""


_ALIVE, _DEAD, _OUT_OF_STEP = Connection.ALIVE, Connection.DEAD, Connection.OUT_OF_STEP
_NO, _MAYBE = Ran.NO, Ran.MAYBE
_TRANSIENT = True

_TABLE = {
    # Sending or reading failed. The server may have read, run and even committed all of it.
    CR_SERVER_GONE_ERROR: Verdict(_DEAD, _MAYBE, "CR_SERVER_GONE_ERROR", _TRANSIENT),
    CR_SERVER_LOST: Verdict(_DEAD, _MAYBE, "CR_SERVER_LOST", _TRANSIENT),
    CR_SERVER_LOST_EXTENDED: Verdict(_DEAD, _MAYBE, "CR_SERVER_LOST_EXTENDED", _TRANSIENT),
    CR_SHARED_MEMORY_CONNECT_ABANDONED_ERROR: Verdict(
        _DEAD, _MAYBE, "CR_SHARED_MEMORY_CONNECT_ABANDONED_ERROR", _TRANSIENT
    ),
    CR_MALFORMED_PACKET: Verdict(_OUT_OF_STEP, _MAYBE, "CR_MALFORMED_PACKET"),
    # The answer, not the statement, may be what is too large, and it was not read to its end.
    CR_NET_PACKET_TOO_LARGE: Verdict(_DEAD, _MAYBE, "CR_NET_PACKET_TOO_LARGE"),
    # The client refused to send since the previous answer has not been read.
    CR_COMMANDS_OUT_OF_SYNC: Verdict(_OUT_OF_STEP, _NO, "CR_COMMANDS_OUT_OF_SYNC"),
    # PyMySQL says so before it sends; but mysqlclient for every failure without a number.
    CLOSED_BY_US: Verdict(_DEAD, _MAYBE, "CLOSED_BY_US", _TRANSIENT),
    # Connecting failed: no statement was sent. A server that restarts, a name server that does
    # not answer and a full server come back by themselves; a wrong password does not.
    CR_CONNECTION_ERROR: Verdict(_DEAD, _NO, "CR_CONNECTION_ERROR", _TRANSIENT),
    CR_CONN_HOST_ERROR: Verdict(_DEAD, _NO, "CR_CONN_HOST_ERROR", _TRANSIENT),
    CR_UNKNOWN_HOST: Verdict(_DEAD, _NO, "CR_UNKNOWN_HOST", _TRANSIENT),
    CR_SERVER_HANDSHAKE_ERR: Verdict(_DEAD, _NO, "CR_SERVER_HANDSHAKE_ERR", _TRANSIENT),
    # Said to a statement, these are of a connection that the server itself wanted (FEDERATED).
    ER_CON_COUNT_ERROR: Verdict(_ALIVE, _NO, "ER_CON_COUNT_ERROR", _TRANSIENT),
    ER_BAD_HOST_ERROR: Verdict(_ALIVE, _NO, "ER_BAD_HOST_ERROR", _TRANSIENT),
    ER_HANDSHAKE_ERROR: Verdict(_ALIVE, _NO, "ER_HANDSHAKE_ERROR", _TRANSIENT),
    ER_TOO_MANY_USER_CONNECTIONS: Verdict(_ALIVE, _NO, "ER_TOO_MANY_USER_CONNECTIONS", _TRANSIENT),
    ER_HOST_IS_BLOCKED: Verdict(_ALIVE, _NO, "ER_HOST_IS_BLOCKED"),
    ER_HOST_NOT_PRIVILEGED: Verdict(_ALIVE, _NO, "ER_HOST_NOT_PRIVILEGED"),
    # Mostly a setting of TLS; but drivers say it in the middle of a statement as well.
    CR_SSL_CONNECTION_ERROR: Verdict(_DEAD, _MAYBE, "CR_SSL_CONNECTION_ERROR"),
    # Refused at connecting, but to a session as well (USE, LOAD DATA), and that one lives on.
    ER_ACCESS_DENIED_ERROR: Verdict(_ALIVE, _NO, "ER_ACCESS_DENIED_ERROR"),
    ER_ACCESS_DENIED_NO_PASSWORD_ERROR: Verdict(_ALIVE, _NO, "ER_ACCESS_DENIED_NO_PASSWORD_ERROR"),
    ER_DBACCESS_DENIED_ERROR: Verdict(_ALIVE, _NO, "ER_DBACCESS_DENIED_ERROR"),
    ER_BAD_DB_ERROR: Verdict(_ALIVE, _NO, "ER_BAD_DB_ERROR"),
    # Too many connections of this account at once, which passes; or too much within the hour.
    ER_USER_LIMIT_REACHED: Verdict(_ALIVE, _NO, "ER_USER_LIMIT_REACHED", _TRANSIENT),
    # Only a session that waits for a statement gets this one: it was not reading ours.
    ER_CLIENT_INTERACTION_TIMEOUT: Verdict(_DEAD, _NO, "ER_CLIENT_INTERACTION_TIMEOUT", _TRANSIENT),
    # Said to idle sessions and in the middle of a statement alike; even after a COMMIT that was
    # done. MySQL commits an autocommit INSERT that is killed while it runs.
    ER_SERVER_SHUTDOWN: Verdict(_DEAD, _MAYBE, "ER_SERVER_SHUTDOWN", _TRANSIENT),
    ER_CONNECTION_KILLED: Verdict(_DEAD, _MAYBE, "ER_CONNECTION_KILLED", _TRANSIENT),
    ER_SESSION_WAS_KILLED: Verdict(_DEAD, _MAYBE, "ER_SESSION_WAS_KILLED", _TRANSIENT),
    ER_ABORTING_CONNECTION: Verdict(_DEAD, _MAYBE, "ER_ABORTING_CONNECTION", _TRANSIENT),
    # The server could not read a whole statement, and no part of one is ever run.
    ER_NET_PACKET_TOO_LARGE: Verdict(_DEAD, _NO, "ER_NET_PACKET_TOO_LARGE"),
    # Which reading or writing failed is not said: LOAD DATA LOCAL reads in the middle.
    ER_NET_PACKETS_OUT_OF_ORDER: Verdict(_DEAD, _MAYBE, "ER_NET_PACKETS_OUT_OF_ORDER", _TRANSIENT),
    ER_NET_READ_ERROR: Verdict(_DEAD, _MAYBE, "ER_NET_READ_ERROR", _TRANSIENT),
    ER_NET_READ_INTERRUPTED: Verdict(_DEAD, _MAYBE, "ER_NET_READ_INTERRUPTED", _TRANSIENT),
    ER_NET_ERROR_ON_WRITE: Verdict(_DEAD, _MAYBE, "ER_NET_ERROR_ON_WRITE", _TRANSIENT),
    ER_NET_WRITE_INTERRUPTED: Verdict(_DEAD, _MAYBE, "ER_NET_WRITE_INTERRUPTED", _TRANSIENT),
    # InnoDB's since MariaDB 11.8, which undoes the whole transaction; of old, other tables' word.
    ER_CHECKREAD: Verdict(_ALIVE, _MAYBE, "ER_CHECKREAD", _TRANSIENT),
    # Rolled back: the statement (1205) or the whole transaction (1213).
    ER_LOCK_WAIT_TIMEOUT: Verdict(_ALIVE, _NO, "ER_LOCK_WAIT_TIMEOUT", _TRANSIENT),
    ER_LOCK_DEADLOCK: Verdict(_ALIVE, _NO, "ER_LOCK_DEADLOCK", _TRANSIENT),
    # Refused by a server that must not write (1290 has other reasons as well): after a failover
    # the writable one is elsewhere.
    ER_OPTION_PREVENTS_STATEMENT: Verdict(_ALIVE, _NO, "ER_OPTION_PREVENTS_STATEMENT", _TRANSIENT),
    ER_READ_ONLY_MODE: Verdict(_ALIVE, _NO, "ER_READ_ONLY_MODE", _TRANSIENT),
    # The session's own choice, SET TRANSACTION READ ONLY, or a replica's default.
    ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: Verdict(
        _ALIVE, _NO, "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION"
    ),
    # Galera's node that is not ready says it to everything but SET and SHOW.
    ER_UNKNOWN_COM_ERROR: Verdict(_ALIVE, _NO, "ER_UNKNOWN_COM_ERROR"),
    # The storage engine's word for a failed commit, after which nothing is stored; but a node of
    # Galera says it too of what it had sent to the others when it lost them, and they may store it.
    ER_ERROR_DURING_COMMIT: Verdict(_ALIVE, _MAYBE, "ER_ERROR_DURING_COMMIT"),
    # The group refuses before the statement.
    ER_BEFORE_DML_VALIDATION_ERROR: Verdict(_ALIVE, _NO, "ER_BEFORE_DML_VALIDATION_ERROR"),
    # It rolls back what it would not certify; but a member that lost the others says so too of what
    # it had sent to them, and they may store it.
    ER_RUN_HOOK_ERROR: Verdict(_ALIVE, _MAYBE, "ER_RUN_HOOK_ERROR"),
    ER_TRANSACTION_ROLLBACK_DURING_COMMIT: Verdict(
        _ALIVE, _MAYBE, "ER_TRANSACTION_ROLLBACK_DURING_COMMIT"
    ),
    # Stopped on the way: InnoDB takes the rows back, tables without transactions keep them.
    ER_QUERY_INTERRUPTED: Verdict(_ALIVE, _MAYBE, "ER_QUERY_INTERRUPTED"),
    ER_STATEMENT_TIMEOUT: Verdict(_ALIVE, _MAYBE, "ER_STATEMENT_TIMEOUT"),
    ER_QUERY_TIMEOUT: Verdict(_ALIVE, _MAYBE, "ER_QUERY_TIMEOUT"),
}

# An answer with another number: the server refused the statement and listens on. Rows may stay, in
# tables without transactions. What has no number is the driver's complaint about its arguments, or
# a question for the probe: every loss has a number.
_REFUSED = Verdict(_ALIVE, _MAYBE, "unknown")
# Numbers of the client library.
_FAILED = Verdict(_DEAD, _MAYBE, "unknown")
# Those below 1000 are of files, at the server (a disk is full) or, with LOAD DATA LOCAL, here.
_SERVER_CODES = (range(1, 2000), range(3000, 65536))


def verdict(code: object, *, answered: bool = True) -> Verdict:
    """Return what ``code``, an exception's ``args[0]`` of any type, says.

    ``answered`` is False where a server's code did not come as the answer to this statement, for
    instance a goodbye that was found waiting: it tells of the connection as before, and nothing
    about the statement. The driver's own codes are about what the driver did, answered or not.
    """
    if isinstance(code, bool) or not isinstance(code, int):
        return _REFUSED
    from_server = any(code in codes for codes in _SERVER_CODES)
    found = _TABLE.get(code, _REFUSED if from_server else _FAILED)
    if answered or not from_server or found.ran is _MAYBE:
        return found
    return replace(found, ran=_MAYBE)


_AWAY = frozenset(
    {
        CR_CONNECTION_ERROR,
        CR_CONN_HOST_ERROR,
        CR_UNKNOWN_HOST,
        CR_SERVER_GONE_ERROR,
        CR_SERVER_HANDSHAKE_ERR,
        CR_SERVER_LOST,
        CR_SERVER_LOST_EXTENDED,
        # What libmariadb makes of the 2003 with which MySQL Router greets for want of a server.
        CR_MALFORMED_PACKET,
        ER_SERVER_SHUTDOWN,
    }
)


def is_away(code: object) -> bool:
    """Whether connecting failed since no server is there, for now, for anybody.

    Not with a wrong password, nor for want of a database: no time mends those, and the next
    borrower may come with another password.
    """
    return code in _AWAY


def is_full(code: object) -> bool:
    """Whether the server refused a connection because all it allows are taken, for now."""
    return code in (ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS)


def takes_no_more(code: object) -> bool:
    """The same of whatever limit, an account's own included.

    That one may be of another kind, such as its queries of an hour, which no waiting mends.
    """
    return is_full(code) or code == ER_USER_LIMIT_REACHED
