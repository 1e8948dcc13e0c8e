"""What a line says about a lost connection, and what only looks like it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django_lifeline.core import classification as codes
from django_lifeline.diagnosis.explain import ours
from django_lifeline.diagnosis.numbers import CAUSE_OF


@dataclass(frozen=True, slots=True)
class Sign:
    """An error about a connection, found in a text."""

    code: int | None
    """Its number; ``None`` for the few errors that have none."""
    kind: str
    """The exception's class, with its module where the text has it."""
    details: frozenset[str]
    """What else the message says, in words of ours: ``reset``, ``timed_out``, ``empty``…"""
    certain: bool = True
    """Whether a number or a class stands with it; a text alone may be somebody talking."""


LOSSES = frozenset(
    {
        *CAUSE_OF,
        codes.CLOSED_BY_US,
        codes.CR_CONNECTION_ERROR,
        codes.CR_CONN_HOST_ERROR,
        codes.CR_SERVER_GONE_ERROR,
        codes.CR_SERVER_HANDSHAKE_ERR,
        codes.CR_SERVER_LOST,
        codes.CR_COMMANDS_OUT_OF_SYNC,
        codes.CR_MALFORMED_PACKET,
        codes.CR_SERVER_LOST_EXTENDED,
        codes.ER_BAD_HOST_ERROR,
        codes.ER_HANDSHAKE_ERROR,
        codes.ER_ABORTING_CONNECTION,
        codes.ER_NET_PACKETS_OUT_OF_ORDER,
        codes.ER_NET_READ_ERROR,
        codes.ER_NET_READ_INTERRUPTED,
        codes.ER_NET_ERROR_ON_WRITE,
        codes.ER_NET_WRITE_INTERRUPTED,
        codes.ER_UNKNOWN_COM_ERROR,
        codes.ER_ERROR_DURING_COMMIT,
        codes.ER_RUN_HOOK_ERROR,
        codes.ER_TRANSACTION_ROLLBACK_DURING_COMMIT,
        ours.POOL_TIMEOUT,
        ours.POOL_QUEUE_FULL,
        ours.POOL_DEADLOCK,
    }
)
"""The numbers that tell of a connection. Deadlocks and bad SQL do not, nor does 3098: Group
Replication says it of tables without a primary key."""

PROXYSQL = frozenset({9001, 9002})
"""ProxySQL's own; TiDB has the same for its parts. ``while reaching hostgroup 10`` tells it."""

AT_THE_DOOR = frozenset(
    {
        codes.ER_DBACCESS_DENIED_ERROR,
        codes.ER_ACCESS_DENIED_ERROR,
        codes.ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
        codes.ER_BAD_DB_ERROR,
    }
)
"""Those that a statement may get too, such as ``USE other``; then they tell of no connection."""

_ONLY_WITH = {
    # Said of every option that forbids something.
    codes.ER_OPTION_PREVENTS_STATEMENT: re.compile(r"read[-_]only"),
    # An old server's word for a command that it does not know.
    codes.ER_UNKNOWN_COM_ERROR: re.compile("WSREP"),
    # The 6 is Galera's own, for a connection to the other nodes that failed. The text after it is
    # what the system calls its 6; storage engines have other numbers, such as 28 for a full disk.
    codes.ER_ERROR_DURING_COMMIT: re.compile(r"\A\D{1,60}6\D"),
    # Group Replication's, where it refuses or undoes a COMMIT; 3100 has other hooks as well.
    codes.ER_RUN_HOOK_ERROR: re.compile("before_commit"),
    **dict.fromkeys(PROXYSQL, re.compile("while reaching hostgroup")),
}
"""What the text has to have where the number is said of other things as well."""

# Other databases' errors have no number in this place, other software's classes other names.
_NUMBERED = re.compile(
    r"(?P<kind>(?:[\w.]{1,80}\.)?(?:OperationalError|InterfaceError|InternalError|DatabaseError"
    r"|ProgrammingError|DataError|NotSupportedError|MySQLError|ConnectionLost"
    r"|CommitOutcomeUnknown|PoolTimeout|PoolQueueFull|PoolDeadlock|PacketTooLarge|NoWritableHost"
    r"|PoolError))['\">)]{0,3} ?:? ?\({0,2}(?P<code>\d{1,5})"
    r"(?:, ?|: | \(\w{5}\)[ :]*)(?P<rest>.{0,400})",
    re.DOTALL,
)
_CLIENT = re.compile(
    r"\b(?:ERROR|[Ee]rror:?|Errno) (?P<code>\d{4})(?: \(\w{5}\)|:)(?P<rest>.{0,400})"
)
_BARE = re.compile(r"\((?P<code>\d{1,5}), ?[urb]?['\"](?P<rest>.{0,400})")
_TEXTS = (
    (
        codes.CR_SERVER_GONE_ERROR,
        re.compile(r"(?i:MySQL server has gone away)|Server has gone away"),
    ),
    (codes.CR_SERVER_LOST, re.compile(r"Lost connection to (?:MySQL )?server (?:at|during)\b")),
    (codes.CR_SERVER_LOST_EXTENDED, re.compile(r"Lost connection to (?:MySQL )?server - system")),
    (
        codes.ER_CLIENT_INTERACTION_TIMEOUT,
        re.compile(r"disconnected by the server because of inac"),
    ),
    (codes.CR_COMMANDS_OUT_OF_SYNC, re.compile(r"Commands out of sync; you can't run this")),
    (codes.CR_CONN_HOST_ERROR, re.compile(r"Can't connect to (?:MySQL )?server on '")),
    (
        codes.CR_CONNECTION_ERROR,
        re.compile(r"Can't connect to local (?:MySQL )?server through soc"),
    ),
    (codes.CR_UNKNOWN_HOST, re.compile(r"Unknown (?:MySQL )?server host")),
    (codes.ER_NET_PACKET_TOO_LARGE, re.compile(r"Got a packet bigger than 'max_allowed_packet'")),
    (codes.ER_HOST_IS_BLOCKED, re.compile(r"is blocked because of many connection errors")),
    (codes.ER_TOO_MANY_USER_CONNECTIONS, re.compile(r"more than 'max_user_connections' active")),
    (
        codes.CLOSED_BY_US,
        re.compile(r"MySQL Connection not available|pymysql\.err\.\w+: Already cl"),
    ),
    (None, re.compile(r"Packet sequence number wrong - got \d+ expected \d+")),
)
# Short texts of a number, believed only beside it.
_SHORT_TEXTS = re.compile(
    r"Too many connections|Server shutdown in progress|Connection was killed|read[-_ ]only|SSL|TLS"
    r"|Malformed packet|Bad handshake|max_user_connections|exceeded the|communication packets"
    r"|not allowed to connect|is blocked|gone away|Lost connection|out of sync"
    r"|Access denied for user|Unknown database '|while reaching hostgroup|WSREP|during COMMIT"
    r"|hook 'before_commit'|Plugin instructed the server to rollback"
)
_WORDS = re.compile(
    r"rror|gone away|Lost conn|out of sync|Pool|onnection|Packet|Can't con|Access den|Unknown dat"
    r"|hostgroup|WSREP|Plugin ins"
)

_DETAILS = (
    ("reset", re.compile(r"Connection reset|system error: 104|Errno 104|ECONNRESET")),
    ("pipe", re.compile(r"Broken pipe|system error: 32|Errno 32|EPIPE")),
    ("refused", re.compile(r"refused|\(111\b|\(61\b|Errno 111|system error: 111|10061")),
    ("timed_out", re.compile(r"\(timed out\)|read operation timed out|The write operation timed")),
    ("no_answer", re.compile(r"Errno 110|system error: 110|\(110\b|Connection timed out|10060")),
    # Libmariadb connects without waiting, and names that (115) in place of the refusal.
    ("in_progress", re.compile(r"\(115\b")),
    ("no_route", re.compile(r"No route to host|\(113\b|system error: 113|Network is unreach")),
    ("no_socket", re.compile(r"through socket|\(2 \"No such file|Errno 2\]|Errno 13\]")),
    (
        "no_name",
        re.compile(r"Name or service|Unknown (?:MySQL )?server host|name resolution|Errno -[235]"),
    ),
    (
        "connecting",
        re.compile(r"initial communication|authentication|handshake|authorization packet"),
    ),
    ("inactivity", re.compile(r"because of inactivity")),
    ("read_only", re.compile(r"read[-_ ]only", re.IGNORECASE)),
    ("no_password", re.compile(r"using password: NO")),
    ("sequence", re.compile(r"Packet sequence number wrong")),
    ("tls", re.compile(r"\bSSL|\bTLS|CERTIFICATE_VERIFY|ssl\.c")),
)
_EMPTY = re.compile(r"['\"]{2}\)")


def sign_in(text: str, level: str = "") -> Sign | None:
    """Return what *text*, a line logged at *level*, says about a lost connection, if anything."""
    if _WORDS.search(text) is None:
        return None
    found = _NUMBERED.search(text)
    if found and _is_loss(int(found["code"]), found["rest"]):
        return Sign(int(found["code"]), _class(found["kind"]), _details(found["rest"]))
    for pattern in (_BARE, _CLIENT):
        found = pattern.search(text)
        if found and _is_loss(int(found["code"]), found["rest"]) and _believed(found["rest"]):
            return Sign(int(found["code"]), "", _details(found["rest"]))
    return _from_text(text, level)


def _class(name: str) -> str:
    """Return the class with its module if that is a known one; what else is there is not shown."""
    return name if name.split(".")[0] in _MODULES else name.rpartition(".")[2]


_MODULES = frozenset(
    {
        *("MySQLdb", "_mysql_exceptions", "pymysql", "mysql", "aiomysql", "asyncmy"),
        *("django", "django_lifeline", "sqlalchemy", "peewee"),
    }
)


def _is_loss(code: int, rest: str) -> bool:
    needed = _ONLY_WITH.get(code)
    if needed is None:
        return code in LOSSES
    return needed.search(rest) is not None


def _believed(rest: str) -> bool:
    return _SHORT_TEXTS.search(rest) is not None or any(p.search(rest) for _, p in _TEXTS)


def _from_text(text: str, level: str) -> Sign | None:
    # An INFO line that has these words tells a story, such as the title of an article.
    if level in ("DEBUG", "INFO", "NOTICE"):
        return None
    for code, pattern in _TEXTS:
        if pattern.search(text):
            numbered = code is None or re.search(rf"\b{code}\b|\w+(?:Error|Exception)\b", text)
            return Sign(code, "", _details(text), certain=bool(numbered))
    return None


def _details(text: str) -> frozenset[str]:
    found = {name for name, pattern in _DETAILS if pattern.search(text)}
    if _EMPTY.match(text) or text.startswith(")"):
        found.add("empty")
    return frozenset(found)
