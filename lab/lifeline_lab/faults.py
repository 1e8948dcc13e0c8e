"""What the lab does to a connection. Each fault acts at one of a program's pauses."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from lifeline_lab.scenario import Fault
from lifeline_lab.scene import LabError, Scene

TOO_MANY_CONNECTIONS = 1040
IDLE = 1.1
"""Seconds of silence: the scenarios' ``wait_timeout`` is 1."""
SETTLE = 0.1
"""Seconds for a packet that was sent to arrive, on loopback."""


def idle_out(scene: Scene) -> None:
    """Leave the program alone until the server has closed all its idle sessions."""
    begin = time.monotonic()
    if scene.sessions():
        scene.wait_until(lambda: not scene.sessions(), "the end of the idle sessions")
    # An arm without sessions is left alone as long as the others.
    time.sleep(max(0.0, IDLE - (time.monotonic() - begin)))
    scene.note("fault", "wait_timeout passed")
    time.sleep(SETTLE)


def kill(scene: Scene) -> None:
    """Do what an administrator does: KILL every session of the program."""
    victims = {session.id for session in scene.sessions()}
    scene.note("fault", f"KILL ({len(victims)} session{'s' * (len(victims) != 1)})")
    for victim in victims:
        scene.kill(victim)
    scene.wait_until(
        lambda: not victims & {session.id for session in scene.sessions()},
        "the end of the killed sessions",
    )
    time.sleep(SETTLE)


def restart(scene: Scene) -> None:
    """Stop the server in good order and start it again."""
    scene.note("fault", "shutdown")
    scene.server.stop()
    scene.server.start_again()
    scene.note("fault", "server is back")


def crash(scene: Scene) -> None:
    """Kill the server's process with SIGKILL and start it again."""
    scene.note("fault", "kill -9")
    scene.server.kill()
    scene.server.start_again()
    scene.note("fault", "server is back")


def read_only_for(seconds: float) -> Fault:
    """Make the server read only, and writable again some seconds later: a switch-over in small."""

    def lock(scene: Scene) -> None:
        scene.server.query("SET GLOBAL read_only = 1")
        scene.note("fault", "read_only = 1")

        def unlock() -> None:
            scene.over.wait(seconds)
            scene.server.query("SET GLOBAL read_only = 0")
            scene.note("fault", "writable again")

        scene.meanwhile(unlock)

    return lock


def cut(scene: Scene) -> None:
    """Reset every connection, as a proxy does with idle ones."""
    scene.note("fault", "proxy cuts the connection")
    scene.proxy.cut()
    time.sleep(SETTLE)


def blackhole(scene: Scene) -> None:
    """Swallow everything on the connections that are open, with no word to either side."""
    scene.proxy.blackhole()
    scene.proxy.resume()  # new connections get through
    scene.note("fault", "network swallows all packets")


def on_the_wire(
    pattern: str, when: str, action: str = "rst", *, after_bytes: int = 0, says: str
) -> Fault:
    """Break the connection when the client sends what ``pattern`` matches; `WireProxy.on`."""

    def arm(scene: Scene) -> None:
        armed = scene.proxy.on(pattern, when=when, action=action, after_bytes=after_bytes)

        def tell() -> None:
            while not scene.over.is_set():
                if armed.fired.wait(0.1):
                    scene.note("fault", says)
                    return

        scene.meanwhile(tell)

    return arm


def kill_while_running(marker: str) -> Fault:
    """KILL the session as soon as it is seen running a statement that contains ``marker``."""

    def arm(scene: Scene) -> None:
        def watch() -> None:
            while not scene.over.wait(0.02):
                for session in scene.sessions():
                    if marker in session.info:
                        scene.note("fault", "KILL in the middle of the statement")
                        scene.kill(session.id)
                        return

        scene.meanwhile(watch)

    return arm


def kill_while_locked_out(table: str) -> Fault:
    """Lock a table, KILL the session that waits to read it, and let the table go."""

    def arm(scene: Scene) -> None:
        locker = scene.admin.another()
        name = locker.table(table)
        locker.run(f"LOCK TABLES {name} WRITE")
        scene.note("armed", f"LOCK TABLES {table}")

        def watch() -> None:
            with contextlib.closing(locker):
                while not scene.over.wait(0.02):
                    for session in scene.sessions():
                        if session.command == "Query" and session.info.startswith("SELECT"):
                            scene.note("fault", "KILL in the middle of the SELECT")
                            scene.kill(session.id)
                            return

        scene.meanwhile(watch)

    return arm


def count_sessions(at: str) -> Fault:
    """Count the program's sessions on the server."""

    def count(scene: Scene) -> None:
        time.sleep(SETTLE)
        scene.note("sessions", at, value=len(scene.sessions()))

    return count


def crowd(seconds: float) -> Fault:
    """Take every connection the server has, and give them all back some seconds later."""

    def fill(scene: Scene) -> None:
        from pymysql.err import Error

        crowd_of_others = _connect_until_full(scene)
        scene.note("fault", f"server full: {len(crowd_of_others)} other sessions")

        def leave() -> None:
            scene.over.wait(seconds)
            for other in crowd_of_others:
                with contextlib.suppress(Error):
                    other.close()
            scene.note("fault", "the others left")

        scene.meanwhile(leave)

    return fill


def _connect_until_full(scene: Scene) -> list[Any]:
    import pymysql  # here, since --help and --list do not need it

    server = scene.server
    held: list[Any] = []
    for _ in range(1000):
        try:
            held.append(
                pymysql.connect(
                    host=server.host, port=server.port, user=server.user, password=server.password
                )
            )
        except pymysql.err.OperationalError as error:
            if error.args[0] == TOO_MANY_CONNECTIONS:
                return held
            raise
    raise LabError("the server never became full; lower its max_connections")
