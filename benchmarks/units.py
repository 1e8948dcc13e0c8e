"""What is done over and over: requests, statements, transactions, connections.

A unit is a function without arguments. This module is imported in the worker once Django is
set up, and serves as the site's URL configuration.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

SELECT = "SELECT 1"

handler = WSGIHandler()
_bare: list[Any] = []
_ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def view(request: HttpRequest) -> HttpResponse:
    """One query through Django."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT)
        return HttpResponse(str(cursor.fetchone()[0]))


def bare_view(request: HttpRequest) -> HttpResponse:
    """The same query on a plain connection of the driver: the floor."""
    cursor = _bare_connection().cursor()
    cursor.execute(SELECT)
    answer = HttpResponse(str(cursor.fetchone()[0]))
    cursor.close()
    return answer


urlpatterns = [path("django/", view), path("bare/", bare_view)]


def request() -> None:
    """A request with one query, with Django's signals round it."""
    _serve("/django/")


def bare_request() -> None:
    """The same request where the driver alone answers."""
    _serve("/bare/")


def thread_request() -> None:
    """The request in a thread of its own."""
    _in_thread(request)


def bare_thread() -> None:
    """A thread that does nothing."""
    _in_thread(_nothing)


def greenlet_request() -> None:
    """The request in a greenlet of its own; for a worker with gevent."""
    _in_greenlet(request)


def bare_greenlet() -> None:
    """A greenlet that does nothing."""
    _in_greenlet(_nothing)


def statement() -> None:
    """One statement through Django, outside of any request."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT)
        cursor.fetchone()


def bare_statement() -> None:
    """The same statement on a plain connection of the driver."""
    cursor = _bare_connection().cursor()
    cursor.execute(SELECT)
    cursor.fetchone()
    cursor.close()


def table() -> dict[str, Any]:
    """Make the table that `atomic_insert` fills; an action, not a unit."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS entry (id SERIAL, note VARCHAR(20))")
    return {}


def empty_table() -> dict[str, Any]:
    """Empty it again; an action, not a unit."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE TABLE entry")
    return {}


def atomic_insert() -> None:
    """A transaction with one INSERT."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry (note) VALUES (%s)", ["benchmark"])


def connect() -> None:
    """Open a connection and close it again; lifeline's arms need ``"pool": False`` for that."""
    connection.ensure_connection()
    connection.close()


def connect_in_a_new_wrapper() -> None:
    """The same as the first time a thread or greenlet does it: server facts included."""
    wrapper = connection.copy()
    with wrapper.cursor() as cursor:
        cursor.execute(SELECT)
        cursor.fetchone()
    wrapper.close()


def bare_connect() -> None:
    """Open and close a plain connection of the driver."""
    _open_bare().close()


def _serve(address: str) -> None:
    environ = {**_ENVIRON, "PATH_INFO": address, "wsgi.input": io.BytesIO()}
    response = handler(environ, _start_response)
    for _ in response:
        pass
    response.close()


def _start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
    if not status.startswith("200"):
        raise RuntimeError(f"The view answered {status}.")


def _in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _in_greenlet(work: Callable[[], object]) -> None:
    import gevent

    gevent.spawn(work).get()


def _nothing() -> None:
    return None


def _bare_connection() -> Any:
    if not _bare:
        _bare.append(_open_bare())
    return _bare[0]


def _open_bare() -> Any:
    params = connection.get_connection_params()
    for name in ("pool", "lifeline"):
        params.pop(name, None)
    return connection.Database.connect(**params)
