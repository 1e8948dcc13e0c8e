"""Passwords that really expire, under load: rotates an account again and again.

    python -m lifeline_lab.rotations [--server mysql] [--driver mysqlclient] [--rotations 1000]
                                     [--pause 1.0] [--engine lifeline] [--write]

A stand-in for what a cloud or a vault does. On MySQL each rotation gives the account a new
password beside the current one (RETAIN CURRENT PASSWORD), hands it out, and ends the old one
(DISCARD OLD PASSWORD); MariaDB knows one password for each account, so two accounts take turns.
Meanwhile threads write rows, on connections that live for a fraction of a second: whoever asked for
the password just before it changed has the old one in hand. ``--write`` puts the result into
``docs/results/rotations.md``.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifeline_lab.last_run import installed, last_run
from lifeline_lab.servers import FLAVOURS, Server, start

PAGE = Path(__file__).parents[2] / "docs" / "results" / "rotations.md"
THREADS = 4
LIFETIME = 0.05
"""Seconds that a connection lives, so that many are opened while passwords change."""
BREATH = 0.002
"""Seconds between two rows of a thread: what is measured is not the machine."""
ENGINES = {"lifeline": "django_lifeline.backends.mysql", "stock": "django.db.backends.mysql"}
ACCOUNTS = ("app_a", "app_b")


class Rotation:
    """Accounts whose password is changed; what it hands out is what the server takes now."""

    def __init__(self, query: Callable[[str], object], flavour: str) -> None:
        self._query = query
        self._keeps_old = flavour == "mysql"
        self.count = 0
        self.asked = 0
        for name in ACCOUNTS:
            self._set_password(f"CREATE USER '{name}'@'%'", secrets.token_hex(16))
            query(f"GRANT ALL ON *.* TO '{name}'@'%'")
        self._handed_out = ("", "")
        self.rotate()

    def rotate(self) -> None:
        """Make a new password, hand it out, end the old one."""
        self.count += 1
        password = secrets.token_hex(16)
        if self._keeps_old:
            name = ACCOUNTS[0]
            self._set_password(f"ALTER USER '{name}'@'%'", password, " RETAIN CURRENT PASSWORD")
            self._handed_out = (name, password)
            self._query(f"ALTER USER '{name}'@'%' DISCARD OLD PASSWORD")
        else:
            before, name = self._handed_out[0], ACCOUNTS[self.count % 2]
            self._set_password(f"ALTER USER '{name}'@'%'", password)
            self._handed_out = (name, password)
            if before:
                self._set_password(f"ALTER USER '{before}'@'%'", secrets.token_hex(16))

    def _set_password(self, statement: str, password: str, then: str = "") -> None:
        self._query(f"{statement} IDENTIFIED BY '{password}'{then}")

    def credentials(self) -> tuple[str, str]:
        """Return the user and the password of now: for ``OPTIONS["lifeline"]["credentials"]``."""
        self.asked += 1
        return self._handed_out


def under_load(rotation: Rotation, rotations: int, pause: float) -> dict[str, Any]:
    """Rotate while threads write rows through Django; count what became of them."""
    from django.db import Error, connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE written (id SERIAL, thread INT)")
    counted: Counter[str] = Counter()
    over = threading.Event()

    def write(number: int) -> None:
        from django.db import close_old_connections

        while not over.is_set():
            try:
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO written (thread) VALUES (%s)", [number])
                counted["ok"] += 1
            except Error as error:
                counted[f"{type(error).__name__} {error.args[0]}"] += 1
            close_old_connections()
            over.wait(BREATH)
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in range(rotations):
        rotation.rotate()
        over.wait(pause)
    over.set()
    for thread in threads:
        thread.join()
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM written")
        stored = cursor.fetchone()[0]
    return {"stored": stored, "counted": dict(counted)}


def run(server: Server, chosen: argparse.Namespace) -> dict[str, Any]:
    """Set Django up and rotate; once for each process, since settings are configured once."""
    if chosen.driver == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    rotation = Rotation(lambda sql: server.query(sql), server.flavour)
    user, password = rotation.credentials()
    server.create_database("rotations")
    database: dict[str, Any] = {
        "ENGINE": ENGINES[chosen.engine],
        "NAME": "rotations",
        "USER": user,
        "PASSWORD": password,
        "HOST": server.host,
        "PORT": server.port,
    }
    if chosen.engine == "lifeline":
        database["OPTIONS"] = {
            "pool": {"max_size": THREADS, "max_lifetime": LIFETIME},
            "lifeline": {"credentials": rotation.credentials},
        }
    settings.configure(DATABASES={"default": database}, USE_TZ=True)
    django.setup()
    begun = time.monotonic()
    told = under_load(rotation, chosen.rotations, chosen.pause)
    told.update(
        server=f"{server.flavour} {server.version}",
        driver=chosen.driver,
        engine=chosen.engine,
        rotations=chosen.rotations,
        seconds=round(time.monotonic() - begun),
        **(_of_the_pool(rotation) if chosen.engine == "lifeline" else {}),
    )
    return told


def _of_the_pool(rotation: Rotation) -> dict[str, Any]:
    from django_lifeline import pools
    from django_lifeline.backends.assembly import targets

    stats = pools["default"].stats()
    return {
        "asked": rotation.asked,
        "opened": stats.opened,
        "open": stats.size,
        "failed_connects": stats.connect_errors,
        "pools": len(list(targets)),
    }


def row(told: dict[str, Any]) -> str:
    """Return one line of the table in the docs."""
    counted = dict(told["counted"])
    right = counted.pop("ok", 0)
    errors = ", ".join(f"{count} × {name}" for name, count in sorted(counted.items())) or "none"
    cells = (
        told["server"],
        told["driver"],
        told["engine"],
        told["rotations"],
        told["seconds"],
        right,
        errors,
        told.get("opened", ""),
        told.get("pools", ""),
        told.get("open", ""),
    )
    return f"| {' | '.join(map(str, cells))} |"


def in_its_own_process(flavour: str, driver: str, engine: str, chosen: Any) -> dict[str, Any]:
    """Run one combination; return what it told."""
    words = ["--server", flavour, "--driver", driver, "--engine", engine]
    words += ["--rotations", str(chosen.rotations), "--pause", str(chosen.pause), "--one"]
    done = subprocess.run(
        [sys.executable, "-m", "lifeline_lab.rotations", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = argparse.ArgumentParser(prog="lifeline_lab.rotations", description=__doc__)
    options.add_argument("--server", choices=FLAVOURS, action="append")
    options.add_argument("--driver", choices=("mysqlclient", "pymysql"), action="append")
    options.add_argument("--engine", choices=tuple(ENGINES), action="append")
    options.add_argument("--rotations", type=int, default=1000)
    options.add_argument("--pause", type=float, default=1.0, help="seconds between two")
    options.add_argument("--write", action="store_true")
    options.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return options


HEAD = """\
# A thousand rotations of a password

An account's password is changed again and again while four threads write rows on connections that
live for {lifetime} s; the old password ends at once. On MySQL with RETAIN CURRENT PASSWORD and
DISCARD OLD PASSWORD, on MariaDB with two accounts that take turns. `lifeline` has
[`credentials`](../guides/credentials.md); stock Django has the password of its start, and connects
for each row. Made by `python -m lifeline_lab.rotations --pause {pause} --write`.

| {columns} |
|{lines}
"""
COLUMNS = (
    *("server", "driver", "engine", "rotations", "seconds", "rows written", "errors"),
    *("connections opened", "pools", "open at the end"),
)


def main(words: list[str] | None = None) -> None:
    """Run what the words ask for, one process for each combination."""
    chosen = parser().parse_args(words)
    servers = chosen.server or list(FLAVOURS)
    drivers = chosen.driver or ["mysqlclient", "pymysql"]
    engines = chosen.engine or ["lifeline"]
    if chosen.one:
        chosen.driver, chosen.engine = drivers[0], engines[0]
        with start(servers[0]) as server:
            print(json.dumps(run(server, chosen)))
        return
    rows = []
    for flavour in servers:
        for engine in engines:
            for driver in drivers:
                rows.append(row(in_its_own_process(flavour, driver, engine, chosen)))
                print(rows[-1], flush=True)
    if chosen.write:
        columns, lines = " | ".join(COLUMNS), "---|" * len(COLUMNS)
        head = HEAD.format(lifetime=LIFETIME, pause=chosen.pause, columns=columns, lines=lines)
        PAGE.write_text(head + "\n".join([*rows, "", last_run(installed())]) + "\n")


if __name__ == "__main__":
    main()
