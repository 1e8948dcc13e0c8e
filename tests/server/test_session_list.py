"""What MySQL says of a session is asked of the list that holds nobody up."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
from tests.fixtures.servers import started

from django_lifeline.backends.server import ServerFacts, _of_session
from django_lifeline.core.drivers import pymysql as driver
from lifeline_lab.servers import Server

MORE_THAN_ONE_ROW = 1242


@pytest.fixture(params=[True, False], ids=["with", "without"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A MySQL with performance_schema, and one without."""
    with started("mysql", performance_schema=request.param) as server:
        yield server


@pytest.mark.server
def test_older_list_is_read_only_where_the_newer_one_is_empty(server: Server) -> None:
    params = {"host": server.host, "port": server.port, "user": server.user}
    connection = driver.connect({**params, "password": server.password})
    try:
        facts = ServerFacts.ask(connection, pymysql.Error)
        assert facts.passed_on(connection) is False, "it knows this client by its port"
        with_newer = connection.run("SELECT @@global.performance_schema")[0][0]
        sql = _of_session(connection, "id", "1")
        # An error as soon as anybody looks at it.
        broken = sql.replace(
            "information_schema.processlist WHERE id = 1", "(SELECT 1 UNION SELECT 2) AS two(id)"
        )
        assert broken != sql
        if with_newer:
            connection.run(f"SELECT {broken}")
        else:
            with pytest.raises(pymysql.OperationalError) as raised:
                connection.run(f"SELECT {broken}")
            assert raised.value.args[0] == MORE_THAN_ONE_ROW
    finally:
        connection.close()
