"""What happens to servers while somebody writes to them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lifeline_lab.topologies import router, stunnel
from lifeline_lab.topologies.clusters import (
    Cluster,
    alone,
    group,
    lose_sight,
    pair,
    wait_until,
)
from lifeline_lab.topologies.galera import (
    cut_off,
    donating,
    galera,
    refuse,
    wait_until_writable,
)
from lifeline_lab.topologies.haproxy import HAProxy
from lifeline_lab.topologies.names import HostName
from lifeline_lab.topologies.router import Router
from lifeline_lab.topologies.stunnel import Stunnel

THREADS = 8
PAUSE = 0.01
AWAY = 2.5
"""Seconds for which a server is down, beside what it takes to stop and to start, or a donor."""
DRAINED = 1.0
"""Seconds from leading new connections elsewhere to stopping a server."""


class Front(Protocol):
    """What Django connects to."""

    host: str
    port: int
    env: Mapping[str, str]
    """What a program's environment needs to connect to it."""

    def clear(self) -> None:
        """Begin to count anew."""

    def most_connects(self) -> int:
        """The most connections that were made within one second, since `clear`."""


def haproxy(cluster: Cluster) -> HAProxy:
    """An HAProxy that leads to the first of the servers."""
    return HAProxy(cluster.servers)


@dataclass(frozen=True)
class Situation:
    """What happens, on which servers, and to what is before them."""

    title: str
    servers: Callable[[], contextlib.AbstractContextManager[Cluster]]
    happens: Callable[[Cluster, Any], list[float]]
    """Makes it happen; returns the moments from which on a server that takes writes could be
    reached: one for each move, in their order.
    """
    threads: int = THREADS
    gevent: bool = False
    front: Callable[[Cluster], contextlib.AbstractContextManager[Front]] = haproxy
    pause: float = PAUSE
    """Seconds between two pieces of work of a thread."""


def switch_over(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """A planned one: the old primary stays up, read only, and so do its connections."""
    cluster.promote(1)
    proxy.lead_to(1)
    return [time.monotonic()]


def crash_and_promotion(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The primary is killed, and somebody promotes the replica."""
    cluster.servers[0].kill()
    cluster.promote(1)
    proxy.lead_to(1)
    return [time.monotonic()]


def crash_and_election(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The primary is killed, and the group elects another one, to which the proxy leads."""
    cluster.servers[0].kill()
    wait_until(lambda: cluster.elected() is not None, "an election")
    proxy.lead_to(cluster.elected() or 0)
    return [time.monotonic()]


def others_frozen(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The primary loses the majority in the middle of writes, which the others have received."""
    lose_sight(cluster.servers)
    wait_until(lambda: cluster.elected() is not None, "an election")
    proxy.lead_to(cluster.elected() or 0)
    return [time.monotonic()]


def reload(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """HAProxy is reloaded, which serves open connections for two more seconds and ends them."""
    proxy.reload()
    return [time.monotonic()]


def restart(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The server is stopped and started again."""
    cluster.servers[0].stop()
    time.sleep(AWAY)
    cluster.servers[0].start_again()
    return [time.monotonic()]


def node_leaves(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The node that is written to is shut down, and the proxy notices when it is gone."""
    cluster.servers[0].stop()
    proxy.lead_to(1)
    wait_until_writable(cluster.servers[1])
    return [time.monotonic()]


def node_killed(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The node that is written to is killed; the others wait for it before they go on."""
    cluster.servers[0].kill()
    proxy.lead_to(1)
    wait_until_writable(cluster.servers[1])
    return [time.monotonic()]


def node_cut_off(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The node that is written to lives, and loses sight of the others."""
    cut_off(cluster.servers[0])
    proxy.lead_to(1)
    wait_until_writable(cluster.servers[1])
    return [time.monotonic()]


def node_donates(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The node that was written to is drained, and hands its state to another: until that is over
    each write waits which comes on a connection that is open still.
    """
    proxy.lead_to(1)
    with donating(cluster.servers, 0, joiner=2):
        ready = time.monotonic()
        time.sleep(AWAY)
    return [ready]


def node_donates_alone(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The same, where the proxy has ended the open connections (``shutdown-sessions``)."""
    proxy.lead_to(1)
    proxy.end_sessions(0)
    return node_donates(cluster, proxy)


def node_refuses(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The node that is written to is set to refuse statements, and stays in the cluster."""
    refuse(cluster.servers[0])
    proxy.lead_to(1)
    return [time.monotonic()]


def nodes_restarted(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """One node after the other, while the proxy leads to the next."""
    moments = []
    for number in range(len(cluster.servers)):
        proxy.lead_to((number + 1) % len(cluster.servers))
        moments.append(time.monotonic())
        time.sleep(DRAINED)
        cluster.restart(number)
    return moments


def replicas_then_primary_restarted(cluster: Cluster, proxy: HAProxy) -> list[float]:
    """The replicas first; then one of them is promoted, and the old primary comes last."""
    for number in range(1, len(cluster.servers)):
        cluster.restart(number)
    moments = switch_over(cluster, proxy)
    time.sleep(DRAINED)
    cluster.restart(0)
    return moments


SITUATIONS = (
    *(
        Situation(f"{title}, {name}", lambda flavour=flavour: pair(flavour), happens)  # type: ignore[misc]
        for flavour, name in (("mariadb", "MariaDB"), ("mysql", "MySQL"))
        for title, happens in (
            ("Planned switch-over, old primary stays up", switch_over),
            ("Primary killed, replica promoted", crash_and_promotion),
            ("HAProxy reloaded", reload),
        )
    ),
    Situation("Group Replication: set_as_primary", group, switch_over),
    Situation("Group Replication: primary killed", group, crash_and_election),
    Situation("Group Replication: primary loses the others", group, others_frozen),
    Situation("MariaDB away for 3 s, 50 threads", lambda: alone("mariadb"), restart, 50),
    Situation(
        "MariaDB away for 3 s, 200 greenlets", lambda: alone("mariadb"), restart, 200, gevent=True
    ),
    Situation("Galera: node is shut down", galera, node_leaves),
    Situation("Galera: node killed", galera, node_killed),
    Situation("Galera: node cut off from the others", galera, node_cut_off),
    Situation("Galera: drained node is a donor", galera, node_donates),
    Situation("Galera: drained node is a donor, sessions ended", galera, node_donates_alone),
    Situation("Galera: node set to refuse queries", galera, node_refuses),
    Situation("Rolling restart, Galera of three", galera, nodes_restarted),
    Situation(
        "Rolling restart, MariaDB pair", lambda: pair("mariadb"), replicas_then_primary_restarted
    ),
    Situation(
        "Rolling restart, Group Replication of three", group, replicas_then_primary_restarted
    ),
    *(
        Situation(
            f"{title}, {name}",
            lambda flavour=flavour: pair(flavour),  # type: ignore[misc]
            happens,
            front=HostName,
        )
        for flavour, name in (("mariadb", "MariaDB"), ("mysql", "MySQL"))
        for title, happens in (
            ("DNS name: planned switch-over, old primary stays up", switch_over),
            ("DNS name: primary killed, replica promoted", crash_and_promotion),
        )
    ),
    Situation("MySQL Router: set_as_primary", group, router.switch_over, front=Router),
    Situation("MySQL Router: primary killed", group, router.crash, front=Router),
    Situation("MySQL Router restarted", group, router.restart, front=Router),
    *(
        Situation(
            f"{title}, {name}",
            lambda flavour=flavour: alone(flavour),  # type: ignore[misc]
            happens,
            front=front,
            pause=pause,
        )
        for flavour, name in (("mariadb", "MariaDB"), ("mysql", "MySQL"))
        for title, happens, front, pause in (
            ("stunnel beside Django restarted", stunnel.near_restarted, Stunnel, PAUSE),
            ("stunnel beside the server restarted", stunnel.far_restarted, Stunnel, PAUSE),
            ("stunnel's TIMEOUTidle", stunnel.idle, stunnel.with_idle_limit, stunnel.PAUSE),
        )
    ),
)
