"""What goes over the wire: the commands that a proxy sees, with both engines."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections, connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import (
    Checks,
    Row,
    create_table,
    in_thread,
    kill,
    one,
    run,
    say,
    session_id,
)

from lifeline_lab.wire import WireProxy

check = Checks()
proxy: WireProxy


def sent() -> list[str]:
    """The statements, or names of other commands, since the last `clear`.

    Not the goodbyes: a connection of an ended thread says it whenever Python collects it.
    """
    texts = [command.text or command.name for command in proxy.commands]
    return [text for text in texts if text != "COM_QUIT"]


def apart(call: Any) -> Any:
    """Run in a new thread, and with it a new wrapper; give back at its end."""

    def work() -> Any:
        try:
            return call()
        finally:
            close_old_connections()

    with in_thread(work) as results:
        pass
    return results[0]


@check
def first_connection(alias: str) -> Any:
    proxy.clear()
    connections[alias].ensure_connection()
    return sent()


@check
def first_connection_and_a_statement(alias: str) -> Any:
    proxy.clear()
    one(alias, "SELECT 7")
    return sent()


@check
def second_connection(alias: str) -> Any:
    """Another one beside the first, which is busy with a transaction."""
    with transaction.atomic(alias):
        one(alias, "SELECT 7")
        proxy.clear()
        apart(lambda: one(alias, "SELECT 8"))
    return [text for text in sent() if text != "COMMIT"]


@check
def replacement(alias: str) -> Any:
    kill(session_id(alias))
    proxy.clear()
    try:
        one(alias, "SELECT 7")
    except Exception as error:
        return type(error).__name__
    return sent()


@check
def statement_on_a_held_connection(alias: str) -> Any:
    one(alias, "SELECT 7")
    proxy.clear()
    for _ in range(3):
        one(alias, "SELECT 8")
    return sent()


@check
def lend_and_return(alias: str) -> Any:
    """As at the end and the beginning of requests."""
    one(alias, "SELECT 7")
    proxy.clear()
    for _ in range(3):
        close_old_connections()
        one(alias, "SELECT 8")
    close_old_connections()
    return sent()


@check
def new_thread(alias: str) -> Any:
    """A thread's new wrapper, after the first thread gave its connection back."""
    one(alias, "SELECT 7")
    close_old_connections()
    proxy.clear()

    def work() -> None:
        wrapper = connections[alias]
        assert wrapper.mysql_version and wrapper.features.has_zoneinfo_database is not None
        assert wrapper.sql_mode is not None
        one(alias, "SELECT 8")

    apart(work)
    return sent()


@check
def atomic(alias: str) -> Any:
    one(alias, "SELECT 7")
    proxy.clear()
    with transaction.atomic(alias):
        one(alias, "SELECT 8")
    return sent()


@check
def nested_atomic(alias: str) -> Any:
    one(alias, "SELECT 7")
    proxy.clear()
    with transaction.atomic(alias), transaction.atomic(alias):
        one(alias, "SELECT 8")
    return len(sent())


@check
def request(alias: str) -> Any:
    steps[:] = [lambda: one(alias, "SELECT 8")]
    get()
    proxy.clear()
    get()
    get()
    return sent()


@check
def atomic_request(alias: str) -> Any:
    connections.settings[alias]["ATOMIC_REQUESTS"] = True
    steps[:] = [lambda: one(alias, "SELECT 8")]
    get()
    proxy.clear()
    get()
    connections.settings[alias]["ATOMIC_REQUESTS"] = False
    return sent()


@check
def queries_counted(alias: str) -> Any:
    """What assertNumQueries counts; a loss in between with our engine."""
    session = session_id(alias)
    if alias.startswith("lifeline"):
        kill(session)
    with CaptureQueriesContext(connections[alias]) as captured:
        one(alias, "SELECT 8")
        with transaction.atomic(alias):
            Row.objects.using(alias).create(tag="counted")
            with transaction.atomic(alias):
                run(alias, "SELECT 9")
        Row.objects.using(alias).bulk_create([Row(tag="counted"), Row(tag="counted")])
    return [query["sql"].split("(")[0].split("`")[0].strip() for query in captured]


@check
def queries_counted_in_a_new_thread(alias: str) -> Any:
    def work() -> int:
        with CaptureQueriesContext(connections[alias]) as captured:
            one(alias, "SELECT 8")
        return len(captured)

    return apart(work)


steps: list[Any] = []


def view(request: Any) -> HttpResponse:
    for step in steps:
        step()
    return HttpResponse("fine")


urlpatterns = [path("", view)]


def get() -> None:
    """Ask the real handler, request signals included."""
    response = WSGIHandler()(RequestFactory().get("/").environ, lambda status, headers: None)
    response.close()


def main() -> None:
    global proxy
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["*"]
    create_table()
    with WireProxy(SETUP["database"]["HOST"], SETUP["database"]["PORT"]) as proxy:
        say(check.report(PORT=proxy.port))


if __name__ == "__main__":
    main()
