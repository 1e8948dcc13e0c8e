"""What each error number says and what it does not: ``explain 2013`` and friends."""

from __future__ import annotations

from dataclasses import dataclass

from django_lifeline.core import classification as codes
from django_lifeline.diagnosis.explain import ours
from django_lifeline.diagnosis.explain.signs import PROXYSQL
from django_lifeline.diagnosis.text import N_


@dataclass(frozen=True, slots=True)
class Number:
    """One error number."""

    code: int
    name: str
    """Its constant in MySQL's sources, or the exception's name where it is ours."""
    meaning: str


_PHASE = N_(
    "The client sent the statement, or part of it, and got no full answer. The statement may have "
    "run, even been committed: the number does not tell."
)
_GONE = N_(
    "The client could not send: the connection was dead already. Mostly the statement did not "
    "run; but the drivers also give this number to a statement of which a part had been sent."
)
_FULL_USER = N_("The account has as many connections as it may have; others can still connect.")
_READ_ONLY = N_("The server refused to write since it is read only; the connection lives.")
_NETWORK = N_("The server could not read or write on the network, and ended the session.")
_NOT_REACHED = N_(
    "No connection could be made; no statement was sent. MySQL's library says 2002 of a socket "
    "file and 2003 of the network; MariaDB's says 2002 of both, PyMySQL 2003."
)
_PROXYSQL = N_(
    "ProxySQL's: it found no server of its host group in time. TiDB has the numbers from 8000 to "
    "9999 for its own parts (9001 PD, 9002 and 9003 TiKV, 9005 a region). None is this package's."
)
_REFUSED = N_("No connection could be made; no statement was sent.")
_KILLED = N_("The session was ended with KILL, or by the server's own doing. A write may have run.")
_STOPPED = N_("The server stopped this statement; the connection lives. Not a lost connection.")

_MEANINGS = {
    codes.CLOSED_BY_US: N_(
        "PyMySQL's number for a connection that this process has closed, mostly after an earlier "
        "loss; mysqlclient's for errors without a number."
    ),
    codes.CR_CONNECTION_ERROR: _NOT_REACHED,
    codes.CR_CONN_HOST_ERROR: _NOT_REACHED,
    codes.CR_UNKNOWN_HOST: N_("The server's name could not be resolved; no statement was sent."),
    codes.CR_SERVER_GONE_ERROR: _GONE,
    codes.CR_SERVER_HANDSHAKE_ERR: _REFUSED,
    codes.CR_SERVER_LOST: _PHASE,
    codes.CR_SERVER_LOST_EXTENDED: _PHASE,
    codes.CR_SHARED_MEMORY_CONNECT_ABANDONED_ERROR: N_(
        "Windows only: the client gave up a connection over shared memory. Whether a statement "
        "ran, the number does not tell."
    ),
    codes.CR_COMMANDS_OUT_OF_SYNC: N_(
        "The driver refused to send since the answer to an earlier command is still unread."
    ),
    codes.CR_NET_PACKET_TOO_LARGE: N_("A packet was larger than the client allows."),
    codes.CR_SSL_CONNECTION_ERROR: N_("TLS failed, mostly while connecting."),
    codes.CR_MALFORMED_PACKET: N_(
        "The client could not make sense of the answer: it was not the answer to its question."
    ),
    codes.ER_CON_COUNT_ERROR: N_(
        "The server has max_connections sessions already and took no further one."
    ),
    codes.ER_ACCESS_DENIED_NO_PASSWORD_ERROR: N_(
        "MariaDB: the account logs in by the system's user or another plugin, not by a password."
    ),
    codes.ER_DBACCESS_DENIED_ERROR: N_("The account has no right on this database."),
    codes.ER_BAD_DB_ERROR: N_("The server has no database of this name. Not a lost connection."),
    codes.ER_ACCESS_DENIED_ERROR: N_(
        "User name or password are wrong, or the account does not allow this host. Not a lost "
        "connection."
    ),
    codes.ER_SERVER_SHUTDOWN: N_(
        "The server is shutting down. A statement that was running may have been done."
    ),
    codes.ER_UNKNOWN_COM_ERROR: N_(
        "With WSREP in its text: a node of Galera that has lost the others, or not caught up with "
        "them yet, takes no statements. Otherwise the server does not know a command of the "
        "driver. The connection lives."
    ),
    codes.ER_ERROR_DURING_COMMIT: N_(
        "The commit failed. With error 6 from a node of Galera: it lost the others while it waited "
        "for them, and they may have stored the work. From storage engines nothing is stored. The "
        "connection lives."
    ),
    codes.ER_BEFORE_DML_VALIDATION_ERROR: N_(
        "Group Replication refused the statement before it ran, mostly since its table has no "
        "primary key. The connection lives."
    ),
    codes.ER_RUN_HOOK_ERROR: N_(
        "Group Replication undid a COMMIT: the member lost the others while it waited for them, "
        "and they may have stored the work; or the transaction is larger than the group takes. The "
        "connection lives."
    ),
    codes.ER_TRANSACTION_ROLLBACK_DURING_COMMIT: N_(
        "Group Replication undid a COMMIT: another member had changed the same rows; or this one "
        "left the group while it waited for the others, and they may have stored the work. The "
        "connection lives."
    ),
    codes.ER_BAD_HOST_ERROR: _REFUSED,
    codes.ER_HANDSHAKE_ERROR: _REFUSED,
    codes.ER_HOST_IS_BLOCKED: N_(
        "The server has seen too many broken handshakes from this host and refuses it."
    ),
    codes.ER_HOST_NOT_PRIVILEGED: N_("No account allows connections from this host."),
    codes.ER_ABORTING_CONNECTION: _NETWORK,
    codes.ER_NET_PACKET_TOO_LARGE: N_(
        "A statement was larger than max_allowed_packet. It did not run, and the server closed the "
        "connection. (This engine raises it before sending, and the connection lives.)"
    ),
    codes.ER_NET_PACKETS_OUT_OF_ORDER: N_(
        "The server got packets in an order that makes no sense: two users of one connection."
    ),
    codes.ER_NET_READ_ERROR: _NETWORK,
    codes.ER_NET_READ_INTERRUPTED: _NETWORK,
    codes.ER_NET_ERROR_ON_WRITE: _NETWORK,
    codes.ER_NET_WRITE_INTERRUPTED: _NETWORK,
    codes.ER_TOO_MANY_USER_CONNECTIONS: _FULL_USER,
    codes.ER_USER_LIMIT_REACHED: _FULL_USER,
    codes.ER_CHECKREAD: N_(
        "At REPEATABLE READ, MariaDB 11.8 found a row changed by somebody else since the "
        "transaction's first read, and rolled the transaction back. Run the whole transaction "
        "again. Not a lost connection."
    ),
    codes.ER_LOCK_WAIT_TIMEOUT: N_(
        "A lock was not granted within innodb_lock_wait_timeout; the statement was undone, the "
        "transaction is still open. Not a lost connection."
    ),
    codes.ER_LOCK_DEADLOCK: N_(
        "Two transactions waited for each other; the server rolled this one back. Run the whole "
        "transaction again. Not a lost connection."
    ),
    codes.ER_OPTION_PREVENTS_STATEMENT: _READ_ONLY,
    codes.ER_QUERY_INTERRUPTED: _STOPPED,
    codes.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: _READ_ONLY,
    codes.ER_READ_ONLY_MODE: _READ_ONLY,
    codes.ER_CONNECTION_KILLED: _KILLED,
    codes.ER_STATEMENT_TIMEOUT: _STOPPED,
    codes.ER_QUERY_TIMEOUT: _STOPPED,
    codes.ER_SESSION_WAS_KILLED: _KILLED,
    codes.ER_CLIENT_INTERACTION_TIMEOUT: N_(
        "The server ended the session because it had been idle for longer than wait_timeout. The "
        "statement did not run."
    ),
    **dict.fromkeys(sorted(PROXYSQL), _PROXYSQL),
    ours.POOL_TIMEOUT: N_("This package's pool had no connection free within its timeout."),
    ours.POOL_QUEUE_FULL: N_("This package's pool had max_waiting borrowers waiting already."),
    ours.POOL_DEADLOCK: N_(
        "All of the pool's connections are held by borrowers that wait for another one."
    ),
    ours.POOL_CLOSED: N_("The application had closed this package's pool for good, with close()."),
    ours.CREDENTIALS_UNAVAILABLE: N_(
        "The credentials or password_file of the settings gave nothing to connect with."
    ),
}
_NAMES = {
    9001: "ProxySQL",
    9002: "ProxySQL",
    **ours.NAMES,
}
_SEQUENCE = Number(
    0, "", N_("PyMySQL got a packet that does not belong to the answer it was reading.")
)

NUMBERS = {
    code: Number(code, _NAMES.get(code) or codes.verdict(code).name, meaning)
    for code, meaning in _MEANINGS.items()
}
"""All numbers that are explained."""

_BY_NAME = {number.name: number for number in NUMBERS.values()}


def number_named(word: str) -> Number | None:
    """Return the number written as ``2013`` or ``CR_SERVER_LOST``, in any case."""
    if word.isascii() and word.isdigit():
        return NUMBERS.get(int(word)) if len(word) <= 6 else None
    by_name = {name.upper(): number for name, number in _BY_NAME.items()}
    return by_name.get(word.upper())


def number_of(code: int | None) -> Number:
    """Return what is known of a loss's number; of the one that has none as well."""
    return _SEQUENCE if code is None else NUMBERS[code]
