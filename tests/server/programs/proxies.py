"""What the engine itself sends: to open, lend and take back, to begin and end transactions."""

from __future__ import annotations

from typing import Any

from django.db import close_old_connections, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import Checks, one, run, say

from lifeline_lab.wire import WireProxy

check = Checks()
proxy: WireProxy


def sent() -> list[str]:
    """The statements, or names of other commands, since the last `clear`; not the goodbyes."""
    texts = [command.text or command.name for command in proxy.commands]
    return [text for text in texts if text != "COM_QUIT"]


@check
def opening(alias: str) -> list[str]:
    proxy.clear()
    connections[alias].ensure_connection()
    return sent()


@check
def opening_where_the_server_has_auto_is_null_on(alias: str) -> Any:
    admin("SET GLOBAL sql_auto_is_null = 1")
    try:
        proxy.clear()
        said = [one(alias, "SELECT @@session.sql_auto_is_null")]
        run(alias, "SET lc_time_names = 'fr_FR'")  # so that it is reset
        close_old_connections()
        said.append(one(alias, "SELECT @@session.sql_auto_is_null"))
        return said, [text for text in sent() if "auto_is_null = " in text]
    finally:
        admin("SET GLOBAL sql_auto_is_null = 0")


@check
def lending_and_giving_back(alias: str) -> list[str]:
    one(alias, "SELECT 1")
    proxy.clear()
    close_old_connections()
    connections[alias].ensure_connection()
    connections[alias].close()
    connections[alias].ensure_connection()
    return sent()


@check
def giving_back_what_was_set(alias: str) -> list[str]:
    run(alias, "SET time_zone = '+01:00'")
    proxy.clear()
    connections[alias].close()
    connections[alias].ensure_connection()
    return sent()


@check
def transactions(alias: str) -> list[str]:
    one(alias, "SELECT 1")
    proxy.clear()
    with transaction.atomic(alias):
        one(alias, "SELECT 7")
    transaction.set_autocommit(False, alias)
    one(alias, "SELECT 7")
    transaction.rollback(alias)
    transaction.set_autocommit(True, alias)
    return [text for text in sent() if text != "SELECT 7"]


def main() -> None:
    global proxy
    with WireProxy(SETUP["database"]["HOST"], SETUP["database"]["PORT"]) as proxy:
        say(check.report(PORT=proxy.port))


if __name__ == "__main__":
    main()
