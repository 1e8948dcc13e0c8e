"""Under gevent a connection stays with the hub that it was opened in, and with one greenlet."""

from __future__ import annotations

import pytest
from tests.fixtures.programs import LIFELINE
from tests.stock.conftest import STOCK, Both, Say, differences, needs

from lifeline_lab.servers import Server

pytestmark = pytest.mark.timeout(180)


def test_threads_with_hubs_of_their_own_get_what_they_get_with_stock(both: Both) -> None:
    needs("gevent", "gevent")
    said = both("hubs", gevent=True)
    assert len(said.stock["stored"]) == 24
    assert not differences(said)


def test_greenlets_that_share_a_threads_connection_do_what_they_do_with_stock(
    said: Say, server: Server
) -> None:
    """With mysqlclient: PyMySQL's reads mix up there, with stock Django as well."""
    needs("gevent", "gevent")
    needs("MySQLdb", "mysqlclient")
    stock, ours = (
        said("greenlets_of_a_thread", engine, server, "mysqlclient", gevent="without threads")
        for engine in (STOCK, LIFELINE)
    )
    assert len(stock["stored"]) == 36
    assert ours == stock


def test_greenlets_of_a_process_that_was_patched_late_are_refused_as_with_stock(
    both: Both,
) -> None:
    needs("gevent", "gevent")
    said = both("patched_late")
    assert len(said.stock["said"]) == 4
    assert said.stock["stored"] == []
    assert said.ours == said.stock
