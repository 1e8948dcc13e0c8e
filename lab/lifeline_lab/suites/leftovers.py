"""Counts what a suite leaves at the server; runs in the process of the tests, after the last."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Mapping
from typing import Any

DEADLINE = 3.0
"""A session that was closed takes a moment to disappear from the server's list."""
LOOK_EVERY = 0.05

STALE = """
    SELECT COUNT(*) FROM information_schema.processlist
    WHERE db LIKE 'test\\_%' AND db NOT IN (SELECT schema_name FROM information_schema.schemata)
"""


def sessions_in_dropped_databases() -> int:
    """Return how many sessions are still in a test database that is no longer there."""
    # Of a thread that ended, stock's session lasts until garbage is collected.
    gc.collect()
    given = json.loads(os.environ["DJANGO_SUITE"])
    databases: Mapping[str, Mapping[str, Any]] = given["databases"]
    entry = next(entry for entry in databases.values() if entry.get("HOST"))
    driver = __import__("MySQLdb")
    connection = driver.connect(
        host=entry["HOST"], port=entry["PORT"], user=entry["USER"], password=entry["PASSWORD"]
    )
    until = time.monotonic() + DEADLINE
    try:
        while True:
            cursor = connection.cursor()
            cursor.execute(STALE)
            [(found,)] = cursor.fetchall()
            if not found or time.monotonic() > until:
                return int(found)
            time.sleep(LOOK_EVERY)
    finally:
        connection.close()
