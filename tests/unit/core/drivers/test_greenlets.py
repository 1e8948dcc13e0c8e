"""What gevent has patched decides how the drivers wait, and who may use their connections."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace

import pytest

from django_lifeline.core.drivers import greenlets_wait_alone, hub_of

PYMYSQL, MYSQLCLIENT = SimpleNamespace(__name__="pymysql"), SimpleNamespace(__name__="MySQLdb")


def patched(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkey = SimpleNamespace(is_module_patched=lambda name: name in names)
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)


def test_without_gevent_nothing_is_special(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gevent.monkey", raising=False)
    assert not greenlets_wait_alone() and hub_of(PYMYSQL) == hub_of(MYSQLCLIENT) == 0


def test_each_greenlet_waits_alone_where_threads_are_patched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patched(monkeypatch, "socket", "_thread")
    assert greenlets_wait_alone()


@pytest.mark.parametrize("names", [(), ("socket",), ("_thread",)])
def test_where_only_a_part_is_patched_none_is_let_in(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    patched(monkeypatch, *names)
    assert not greenlets_wait_alone()


def test_socket_of_pymysqls_belongs_to_the_thread_that_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patched(monkeypatch, "socket")
    assert hub_of(PYMYSQL) == threading.get_native_id() and hub_of(MYSQLCLIENT) == 0
