"""Statements that are too large, and answers that are read too slowly."""

from __future__ import annotations

import importlib
import time

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import kind
from lifeline_lab.incidents.place import SMALL_PACKET

ROWS = 600
ROW_BYTES = 60_000
WRITES = ("write", "atomic")


def _write_large(bench: Bench, size: int) -> None:
    def write() -> None:
        bench.execute("INSERT INTO note (text) VALUES (%s)", "x" * size)

    def transact() -> None:
        with bench.atomic():
            bench.write()
            write()

    bench.note(bytes=size)
    bench.attempt(transact if bench.setting.work == "atomic" else write)


@kind("packet_too_large", works=WRITES)
def larger_than_the_known_limit(bench: Bench) -> None:
    """A statement is larger than the max_allowed_packet that the server told at the beginning."""
    bench.use()
    limit = int(str(bench.place.variables["max_allowed_packet"]))
    bench.read()
    _write_large(bench, int(limit * bench.between(1.01, 1.6)))


@kind("packet_too_large", works=WRITES, disaster="small packets")
def larger_than_a_limit_lowered_meanwhile(bench: Bench) -> None:
    """max_allowed_packet is lowered after the first session was opened."""
    bench.use()
    bench.read()
    bench.strike()
    size = int(SMALL_PACKET * bench.between(1.2, 20))
    bench.in_thread(lambda: _write_large(bench, size))


@kind("slow_reader", works=("read",))
def rows_taken_too_slowly(bench: Bench) -> None:
    """A large result is read row by row with a pause beyond net_write_timeout."""
    limit = 1
    module = "pymysql" if bench.setting.driver == "pymysql" else "MySQLdb"
    streaming = importlib.import_module(f"{module}.cursors").SSCursor
    bench.use(session={"net_write_timeout": limit}, cursorclass=streaming)
    pause = limit + bench.between(1.2, 2.2)
    bench.note(limit=limit, pause=pause)

    def read() -> None:
        with bench.wrapper.cursor() as cursor:
            cursor.execute(
                f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
                f" SELECT REPEAT('x', {ROW_BYTES}) FROM n"
            )
            cursor.fetchmany(2)
            time.sleep(pause)
            cursor.fetchall()

    bench.attempt(read)
