"""Passwords, users and certificates that change while connections are open."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from django.utils.functional import lazystr
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import LIFELINE, database, forget, one, outcome, say, session_id

from django_lifeline import Credentials, pools
from django_lifeline.backends.assembly import targets
from django_lifeline.backends.mysql import base
from django_lifeline.diagnosis.doctor.connect import connected

ROTATIONS = 60
FOLDER = Path(os.environ["CREDENTIALS_FOLDER"])
NUMBERS = itertools.count(1)
WHO = "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"


class Account:
    """One account whose password is changed; the old one ends at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.password = ""
        self.asked = 0
        admin(f"CREATE USER '{name}'@'%%' IDENTIFIED BY 'secret-before'")
        admin(f"GRANT ALL ON *.* TO '{name}'@'%%'")
        self.rotate()

    def rotate(self) -> None:
        self.password = f"secret-{self.name}-{next(NUMBERS)}"
        admin(f"ALTER USER '{self.name}'@'%%' IDENTIFIED BY '{self.password}'")

    def end(self) -> None:
        admin(f"DROP USER '{self.name}'@'%%'")

    def now(self) -> str:
        self.asked += 1
        return self.password

    __str__ = now


@contextmanager
def account(name: str) -> Iterator[Account]:
    made = Account(name)
    try:
        yield made
    finally:
        made.end()


CURRENT: list[Account] = []
"""The account that a dotted path and the engines below log in with."""


def password_of_now() -> str:
    return CURRENT[-1].now()


class ByParams(base.DatabaseWrapper):
    """An engine that brings the password by itself."""

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "password": password_of_now()}


class ByConnection(base.DatabaseWrapper):
    """The same in the other place."""

    def get_new_connection(self, conn_params: Any) -> Any:
        return super().get_new_connection({**conn_params, "password": password_of_now()})


def pools_of(alias: str) -> int:
    return len([target for target in targets if target.alias == alias])


def connect_anew(alias: str) -> str:
    """Open a connection: the pool has ended all that were idle."""
    connections[alias].close()
    pools[alias].drain()
    return outcome(lambda: one(alias, WHO))


def rotated(alias: str, account: Account) -> dict[str, Any]:
    """Rotate again and again, connecting each time; in the end, leave an old session open."""
    outcomes = {connect_anew(alias)}
    for _ in range(ROTATIONS):
        account.rotate()
        outcomes.add(connect_anew(alias))
    before = session_id(alias)
    account.rotate()
    connections[alias].close()
    said = {
        "outcomes": sorted(outcomes),
        "pools": pools_of(alias),
        "old_session_goes_on": session_id(alias) == before,
        "errors": pools[alias].stats().connect_errors,
        "open": pools[alias].stats().size,
    }
    forget(alias)
    return said


def in_each_way() -> dict[str, Any]:
    """Every way in which a site may bring a password that changes."""
    said = {}
    with account("rotating") as changing:
        CURRENT.append(changing)
        path = FOLDER / "password"

        def to_file() -> None:
            Account.rotate(changing)
            path.write_text(f"{changing.password}\n")

        module = sys.modules.setdefault("site_credentials", sys.modules[__name__])
        ways: dict[str, dict[str, Any]] = {
            "callable": {"OPTIONS": {"lifeline": {"credentials": changing.now}}},
            "path": {"OPTIONS": {"lifeline": {"credentials": "site_credentials.password_of_now"}}},
            "file": {"OPTIONS": {"lifeline": {"password_file": str(path)}}},
            "lazystr": {"PASSWORD": lazystr(changing)},
            "params": {"kind": "ByParams"},
            "connection": {"kind": "ByConnection"},
        }
        for name, changes in ways.items():
            kind = changes.pop("kind", None)
            alias = database(f"way {name}", "lifeline", **{"USER": "rotating", **changes})
            if kind is not None:
                settings = connections[alias].settings_dict
                connections[alias] = getattr(module, kind)(settings, alias)
            if name == "file":
                changing.rotate = to_file  # type: ignore[method-assign]
                to_file()
            said[name] = rotated(alias, changing)
    return said


def user_too() -> dict[str, Any]:
    """Two accounts in turn, as Vault makes a new one for each lease."""
    with account("lease_0") as one_, account("lease_1") as other:
        turn = itertools.cycle((one_, other))

        def lease() -> tuple[str, str]:
            current = next(turn)
            return current.name, current.now()

        options = {"lifeline": {"credentials": lease}}
        alias = database("leases", "lifeline", USER="nobody", OPTIONS=options)
        users = [connect_anew(alias) for _ in range(4)]
        said = {"users": users, "pools": pools_of(alias), "name": pools[alias].stats().name}
        forget(alias)
    return said


def refused() -> dict[str, Any]:
    """What the server refuses is asked for once more, and not tried again where it is the same."""
    said = {}
    with account("refused") as changing:
        far = 4102444800

        def cached() -> Credentials:
            return Credentials(changing.now(), expires_at=far)

        alias = database(
            "cached", "lifeline", USER="refused", OPTIONS={"lifeline": {"credentials": cached}}
        )
        first = [connect_anew(alias) for _ in range(3)]
        said["cached"] = [first, changing.asked]
        changing.rotate()
        said["after"] = [connect_anew(alias), changing.asked, pools[alias].stats().connect_errors]
        forget(alias)

        def wrong() -> str:
            changing.asked += 1
            return "secret-wrong"

        changing.asked = 0
        alias = database(
            "wrong", "lifeline", USER="refused", OPTIONS={"lifeline": {"credentials": wrong}}
        )
        said["wrong"] = [connect_anew(alias), changing.asked]
        forget(alias)
    return said


def at_once() -> dict[str, Any]:
    """Threads that connect at the same moment."""
    threads = 6
    together = threading.Barrier(threads)
    asked, here = [], threading.Event()

    def slow() -> str:
        asked.append(1)
        here.wait(5)
        return str(SETUP["database"]["PASSWORD"])

    pool = {"max_size": threads}
    alias = database(
        "at once", "lifeline", OPTIONS={"lifeline": {"credentials": slow}, "pool": pool}
    )
    outcomes: list[str] = []

    def work() -> None:
        together.wait()
        outcomes.append(outcome(lambda: one(alias, "SELECT SLEEP(0.2)")))
        connections[alias].close()

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    while pools[alias].stats().connecting < 4:
        pass
    here.set()
    for thread in running:
        thread.join()
    said = {"outcomes": sorted(set(outcomes)), "fewer": len(asked) < threads}
    forget(alias)
    return said


def dirty_session() -> dict[str, Any]:
    """A session is given back with a variable set, after its password was replaced."""
    with account("dirty") as changing:
        alias = database(
            "dirty", "lifeline", USER="dirty", OPTIONS={"lifeline": {"credentials": changing.now}}
        )
        before = session_id(alias)
        changing.rotate()
        changing.now()
        pools[alias].lease().connection.close()  # so that the source has given the new one
        one(alias, "SELECT @@sql_mode")
        with connections[alias].cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = 'ANSI'")
        connections[alias].close()
        said = {
            "same": session_id(alias) == before,
            "mode": "ANSI" in one(alias, "SELECT @@sql_mode"),
        }
        forget(alias)
    return said


def shell() -> dict[str, Any]:
    """What ``dbshell`` runs logs in with the password of now."""
    with account("shell") as changing:
        alias = database(
            "shell",
            "lifeline",
            USER="shell",
            PASSWORD="secret-stale",
            OPTIONS={"lifeline": {"credentials": changing.now}},
        )
        client = connections[alias].client
        changing.rotate()
        words, env = client.settings_to_cmd_args_env(
            connections[alias].settings_dict, ["--batch", "--skip-column-names", "-e", WHO]
        )
        done = subprocess.run(
            words, env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        changing.rotate()
        with connected(connections[alias]) as (ask, _):
            doctor = ask(WHO)[0][0]
        forget(alias)
    return {
        "said": done.stdout.strip() or done.stderr,
        "hidden": changing.password not in words,
        "doctor": doctor,
    }


class Everything(logging.Handler):
    """Keeps what is logged, as text, traceback included."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts += [logging.Formatter("%(message)s").format(record), repr(record.__dict__)]


def secrets() -> list[str]:
    """Fail and succeed in every way; look for secrets in all that is printed, logged, shown."""
    heard, out = Everything(), io.StringIO()
    logger = logging.getLogger()
    logger.addHandler(heard)
    logger.setLevel(logging.DEBUG)
    word = "secret-of-all"
    path = FOLDER / "wrong"
    path.write_text(word)

    def raising() -> str:
        try:
            raise LookupError
        except LookupError:
            raise ConnectionError("the vault is sealed") from None

    ways: dict[str, Any] = {
        "wrong": {"credentials": lambda: word},
        "pair": {"credentials": lambda: ("nobody", word)},
        "kind": {"credentials": lambda: [word]},
        "raises": {"credentials": raising},
        "file": {"password_file": str(path)},
        "no file": {"password_file": str(FOLDER / "none")},
        "value": {"credentials": f"{word}!"},
        "file value": {"password_file": word},
    }
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        for name, lifeline in ways.items():
            alias = database(f"secret {name}", "lifeline", OPTIONS={"lifeline": lifeline})
            try:
                one(alias, "SELECT 1")
            except Exception:
                traceback.print_exc()
            with contextlib.suppress(Exception):
                wrapper = connections[alias]
                print(wrapper, wrapper.pool, wrapper.pool.stats(), wrapper.target)
                print(wrapper.target.credentials, wrapper.target.lifeline, wrapper.target.name)
            forget(alias)
    said = [*heard.texts, out.getvalue()]
    assert out.getvalue().count("Traceback") >= len(ways)
    return [text[:300] for text in said if word in text]


def replaced_files() -> dict[str, Any]:
    """The certificates of TLS are replaced: the next connection uses the new ones."""
    right, wrong = Path(os.environ["RIGHT_CA"]), Path(os.environ["WRONG_CA"])
    used = FOLDER / "ca.pem"
    used.write_bytes(wrong.read_bytes())
    options: dict[str, Any] = {"ssl": {"ca": str(used), "check_hostname": False}}
    if SETUP["driver"] == "mysqlclient":
        options = {"ssl": {"ca": str(used)}, "ssl_mode": "VERIFY_CA"}
    alias = database("tls", "lifeline", OPTIONS=options)
    said: dict[str, Any] = {"wrong": connect_anew(alias)}
    fresh = FOLDER / "fresh.pem"
    fresh.write_bytes(right.read_bytes())
    fresh.rename(used)
    said["right"] = connect_anew(alias)
    said["cipher"] = bool(admin_cipher(alias))
    fresh.write_bytes(wrong.read_bytes())
    fresh.rename(used)
    connections[alias].close()
    said["open_goes_on"] = outcome(lambda: one(alias, WHO))
    said["wrong_again"] = connect_anew(alias)
    said["pools"] = pools_of(alias)
    forget(alias)
    return said


def admin_cipher(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return str(cursor.fetchone()[1])


def main() -> None:
    assert connections["default"].settings_dict["ENGINE"] == LIFELINE
    parts: list[Callable[[], Any]] = [
        in_each_way,
        user_too,
        refused,
        at_once,
        dirty_session,
        shell,
        secrets,
        replaced_files,
    ]
    say({part.__name__: part() for part in parts})


if __name__ == "__main__":
    main()
