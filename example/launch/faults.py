"""What befalls a `Cluster`. The names are what the report says."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import pymysql

from launch.cluster import Cluster

PAUSE = 9.0
"""Seconds; longer than a claim lasts there, so whoever wakes up finds it expired."""


def kill_worker(cluster: Cluster) -> None:
    cluster.one("worker").kill()


def stop_worker(cluster: Cluster) -> None:
    cluster.one("worker").end()


def kill_child(cluster: Cluster) -> None:
    children = cluster.one("worker").children()
    if children:
        os.kill(cluster.chance.choice(children), signal.SIGKILL)


def pause_worker(cluster: Cluster) -> None:
    worker = cluster.one("worker")
    worker.signal_all(signal.SIGSTOP)
    time.sleep(PAUSE)
    worker.signal_all(signal.SIGCONT)


def kill_scheduler(cluster: Cluster) -> None:
    cluster.one("beat").kill()


def kill_smtp(cluster: Cluster) -> None:
    cluster.one("smtp").kill()


def kill_broker(cluster: Cluster) -> None:
    cluster.one("broker").kill()


def kill_sessions(cluster: Cluster) -> None:
    server = cluster.server
    wanted = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = %s"
    for (number,) in server.query(wanted, server.user):
        # One that ended by itself meanwhile is an error.
        with contextlib.suppress(pymysql.err.Error):
            server.query("KILL %s", number)


def restart_database(cluster: Cluster) -> None:
    cluster.server.stop()
    cluster.server.start_again()


def crash_database(cluster: Cluster) -> None:
    cluster.server.kill()
    cluster.server.start_again()


FAULTS: dict[str, Callable[[Cluster], None]] = {
    "worker and its children killed (-9)": kill_worker,
    "one child of a worker killed (-9)": kill_child,
    "worker stopped in good order": stop_worker,
    "worker paused for longer than a claim lasts": pause_worker,
    "scheduler (beat) killed (-9)": kill_scheduler,
    "SMTP server killed (-9)": kill_smtp,
    "broker killed (-9)": kill_broker,
    "all database sessions killed": kill_sessions,
    "database restarted": restart_database,
    "database killed (-9) and started": crash_database,
}
