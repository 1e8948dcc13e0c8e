"""What a kind of incident is, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DIRECT, SOCKET, WIRE, HAPROXY = "direct", "socket", "wire", "haproxy"
WAYS = (DIRECT, SOCKET, WIRE, HAPROXY)
"""How the client reaches the server: TCP, a Unix socket, the lab's own proxy, HAProxy."""
TCP = (DIRECT, WIRE, HAPROXY)
BETWEEN = ("read", "write", "begin", "atomic", "commit")
"""What comes after an idle time: a read, a write, entering ``atomic``, a read after a write inside
``atomic``, its COMMIT."""
UNDER_WAY = ("read", "write", "call", "atomic")
"""What is running: a plain read, a write, a SELECT with an effect, a write inside ``atomic``."""
MAIN, THREAD, GREENLET = "main", "thread", "greenlet"
"""Who works with the database. The main thread has no other incident beside it; greenlets are in
a process whose sockets gevent made cooperative."""
USUAL_LANES = (THREAD, THREAD, THREAD, GREENLET)
DRIVERS = ("mysqlclient", "pymysql")
SERVERS = ("mariadb", "mysql")
NOTHING = "nothing"
"""The truth of what is no loss at all, so that a diagnosis of it would be a false alarm."""

Act = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way in which a cause comes about."""

    name: str
    truth: str
    """The name of the cause, as in ``diagnosis/causes.py``; or `NOTHING`."""
    story: str
    """What happens, in a sentence."""
    act: Act
    ways: tuple[str, ...]
    works: tuple[str, ...]
    tls: tuple[bool, ...]
    drivers: tuple[str, ...]
    servers: tuple[str, ...]
    disaster: str
    """What befalls a whole server, so that such incidents have one to themselves."""
    lanes: tuple[str, ...]
    pooled: bool
    """Is about the pool, so that it must have one."""
    alike: str
    """Another kind of another cause that leaves the same evidence; empty when there is none."""


KINDS: dict[str, Kind] = {}


def kind(
    truth: str,
    *,
    ways: tuple[str, ...] = WAYS,
    works: tuple[str, ...] = BETWEEN,
    tls: tuple[bool, ...] = (False, True),
    disaster: str = "",
    lanes: tuple[str, ...] = USUAL_LANES,
    pooled: bool = False,
    alike: str = "",
    **only: tuple[str, ...],
) -> Callable[[Act], Act]:
    """Enter a function into the table; ``drivers`` and ``servers`` may be limited.

    Its name becomes the kind's, and its docstring the story.
    """

    def enter(act: Act) -> Act:
        name = act.__name__.replace("_", "-")
        KINDS[name] = Kind(
            name=name,
            truth=truth,
            story=" ".join((act.__doc__ or "").split()),
            act=act,
            ways=ways,
            works=works,
            tls=tls,
            drivers=only.get("drivers", DRIVERS),
            servers=only.get("servers", SERVERS),
            disaster=disaster,
            # One process for all that a disaster befalls.
            lanes=(THREAD,) if disaster else lanes,
            pooled=pooled,
            alike=alike,
        )
        return act

    return enter
