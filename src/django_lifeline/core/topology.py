"""Which server an alias wants, and what follows from what a server says of its part.

Rules over plain values: no I/O, no clock. There is one host for now; a list of them, replicas and
their choice would be rules of this module too.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from django_lifeline.core import classification as codes


class Wanted(enum.StrEnum):
    """What ``OPTIONS["lifeline"]["target"]`` may be."""

    WRITABLE = "writable"
    """A server that takes writes, once this process has written there."""
    ANY = "any"
    """Whatever answers: a replica on purpose."""


class Then(enum.Enum):
    """What to do after a statement was refused."""

    NOTHING = "nothing"
    """The server's part is not why, or it is as the alias wants it."""
    LEAVE = "leave"
    """Let the connection end with this piece of work: the next one may lead elsewhere."""
    FOLLOW = "follow"
    """Leave this server with all connections, and look for the one that takes writes."""


RAISE_QUESTIONS = frozenset(
    {
        codes.ER_UNKNOWN_COM_ERROR,
        codes.ER_ERROR_DURING_COMMIT,
        codes.ER_OPTION_PREVENTS_STATEMENT,
        codes.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
        codes.ER_READ_ONLY_MODE,
        codes.ER_BEFORE_DML_VALIDATION_ERROR,
        codes.ER_RUN_HOOK_ERROR,
        codes.ER_TRANSACTION_ROLLBACK_DURING_COMMIT,
    }
)
"""Errors of a living session after which the server is asked about its part. They prove nothing:
1290 is said of other options as well, 1792 of the session's own choice."""

OF_A_GROUP = frozenset(
    {
        codes.ER_BEFORE_DML_VALIDATION_ERROR,
        codes.ER_RUN_HOOK_ERROR,
        codes.ER_TRANSACTION_ROLLBACK_DURING_COMMIT,
    }
)
"""Those of Group Replication, after which the member's state is asked for as well. Few accounts may
see it, and in all other cases ``super_read_only`` says the same."""

VARIABLES = (
    "read_only",
    "super_read_only",
    "innodb_read_only",
    "transaction_read_only",
    "tx_read_only",
    "innodb_force_recovery",
    "wsrep_on",
    "wsrep_reject_queries",
)
"""Global variables that tell a server's part; no server has all of them."""

STATUS = ("wsrep_ready", "wsrep_cluster_status")
"""Status variables of Galera."""

_OFF = frozenset({"", "0", "OFF", "FALSE", "NO"})
_NO_WRITES_FROM = 4
"""The value of ``innodb_force_recovery`` from which on InnoDB takes no writes."""
_SITTING_OUT = frozenset({"RECOVERING", "ERROR", "UNREACHABLE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a server says of its part, at one moment, to one account."""

    read_only: bool = False
    super_read_only: bool = False
    """As `read_only`, for administrators too."""
    innodb_read_only: bool = False
    transaction_read_only: bool = False
    """Whether sessions begin with transactions that may not write."""
    innodb_force_recovery: bool = False
    """Whether it was started to rescue what is left of a damaged database."""
    exempt: bool = False
    """Whether the account may write to a server that is read only, without being super."""
    ready: bool = True
    """Whether a node of Galera takes statements at all."""
    member_state: str = ""
    """The group's word for its member; empty where it was not asked for, or there is no group."""

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[object, object]]) -> Role:
        """Make it of names and values, as a server lists them; what it lacks is not among them."""
        told = {str(name).lower(): str(value).upper() for name, value in rows if value is not None}
        on = {name for name, value in told.items() if value not in _OFF}
        galera = "wsrep_on" in on
        primary = told.get("wsrep_cluster_status", "PRIMARY") == "PRIMARY"
        serves = told.get("wsrep_reject_queries", "NONE") == "NONE"
        rescue = told.get("innodb_force_recovery", "0")
        everybody = told.get("read_only", "").endswith("NO_ADMIN")  # MariaDB 12
        return cls(
            read_only="read_only" in on,
            super_read_only="super_read_only" in on or everybody,
            innodb_read_only="innodb_read_only" in on,
            transaction_read_only=bool({"transaction_read_only", "tx_read_only"} & on),
            innodb_force_recovery=rescue.isdigit() and int(rescue) >= _NO_WRITES_FROM,
            exempt="exempt" in on,
            ready=not galera or ("wsrep_ready" in on and primary and serves),
            member_state=told.get("member_state", ""),
        )

    @property
    def takes_writes(self) -> bool:
        """Whether this account could write here now."""
        whatever_the_account = (
            self.super_read_only
            or self.innodb_read_only
            or self.innodb_force_recovery
            or self.transaction_read_only
            or self.member_state in _SITTING_OUT
            or not self.ready
        )
        return not whatever_the_account and (self.exempt or not self.read_only)

    @property
    def told(self) -> str:
        """What speaks against writing, in the server's words."""
        said = [name for name in VARIABLES if getattr(self, name, False)]
        said += [] if self.ready else ["the node takes no statements (wsrep_ready and the like)"]
        if self.member_state in _SITTING_OUT:
            said.append(f"the member is {self.member_state}")
        return ", ".join(said)


def after_refusal(role: Role | None, *, wanted: Wanted, written: bool) -> Then:
    """Say what to do after a statement was refused by a server of that *role*.

    *written*: whether this process has written by this alias before. None: it did not tell.
    """
    if role is None or role.takes_writes:
        return Then.NOTHING
    if not role.ready:
        # It takes no reads either, so no alias can want it.
        return Then.FOLLOW
    if wanted is Wanted.ANY:
        return Then.NOTHING
    # Never written to, it may be a replica by mistake: then there is nothing to follow. But a
    # process may have begun after the failover, and stock's next request connects anew.
    return Then.FOLLOW if written else Then.LEAVE


def is_kept(*, read_only: bool, wanted: Wanted, written: bool, exempt: bool) -> bool:
    """Whether a new session may serve more than one piece of work.

    Not where it came to a server that takes no writes any more: the name may lead elsewhere a
    moment later. *exempt*: writes of this account went through on a server that was read only.
    """
    return not read_only or exempt or wanted is Wanted.ANY or not written


PAUSE_AFTER_FAILURE = 1.0
"""Seconds between two attempts, once a search for the whole of ``failover_timeout`` has failed."""
FORGOTTEN_AFTER = 30.0
"""Seconds after the last failed attempt from which on a search may take its time again."""


def patience(failed_at: float | None, now: float, failover_timeout: float) -> float | None:
    """Return how many seconds a search may take; 0 for one attempt, None for not even that.

    *failed_at*: when the last one ended without a find. The server may be read only by intent then,
    such as for a backup: nobody waits a second time, since stock's error comes at once, too.
    """
    if failed_at is None or now - failed_at >= FORGOTTEN_AFTER:
        return failover_timeout
    return 0.0 if now - failed_at >= PAUSE_AFTER_FAILURE else None


def goes_on(code: object) -> bool:
    """Whether a search goes on after an attempt to connect failed with this number.

    A wrong password or a database that does not exist will be wrong the next time, too.
    """
    return codes.verdict(code).transient or code == codes.ER_UNKNOWN_COM_ERROR
