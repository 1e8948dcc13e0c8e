"""What this package raises: all Django's errors, all with ``args[0]`` a number.

An error that came from the driver keeps the driver's number. The pool's own errors have
numbers of their own, from the range that MySQL leaves to third parties (50000 to 51999): no
server, client library or proxy says them, while 9001 is ProxySQL's and TiDB's as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.utils import DataError, OperationalError

if TYPE_CHECKING:
    from django_lifeline.diagnosis.model import Diagnosis

POOL_TIMEOUT = 51901
POOL_QUEUE_FULL = 51902
POOL_DEADLOCK = 51903
POOL_CLOSED = 51904
CREDENTIALS_UNAVAILABLE = 51910
NET_PACKET_TOO_LARGE = 1153


class LifelineError:
    """What all errors of this package share."""

    diagnosis: Diagnosis | None = None
    """Why it happened, where that is known."""


class ConnectionLost(LifelineError, OperationalError):
    """The connection died and hiding that would not have been safe.

    ``diagnosis.label`` says what became of the work: never executed, rolled back, or unknown.
    """


class CommitOutcomeUnknown(ConnectionLost):
    """COMMIT was sent and no answer came: the transaction is stored, or it is not.

    Or an error came from a node of Galera (1180) or a member of Group Replication (3100, 3101) that
    had lost the others, which may store it.

    It may even be stored later: a session whose client is gone can go on for a while. So do not
    look for its rows to decide. Insert the same unique value again in a new transaction, which
    waits for the old one and then is refused or not; ``docs/what-may-be-repeated.md`` shows it.
    """


class PoolTimeout(LifelineError, OperationalError):
    """No connection became free within the pool's ``timeout``."""


class PoolDeadlock(PoolTimeout):
    """Every connection is held by borrowers that are themselves waiting for one."""


class PoolClosed(PoolTimeout):
    """The pool was closed for good, by the ``close()`` that the message names."""


class PoolQueueFull(LifelineError, OperationalError):
    """``max_waiting`` borrowers were waiting already."""


class CredentialsUnavailable(LifelineError, OperationalError):
    """``credentials`` or ``password_file`` gave nothing to connect with."""


class PacketTooLarge(LifelineError, DataError, OperationalError):
    """The statement is longer than the server's ``max_allowed_packet``; it was not sent.

    What is wrong is the data. Stock Django has only the driver's ``OperationalError`` for it, so
    that it is one of these, too.
    """

    size: int = 0
    """The statement's length in bytes."""
    limit: int = 0
    """``max_allowed_packet`` in bytes."""
