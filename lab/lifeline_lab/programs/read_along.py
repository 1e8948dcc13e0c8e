"""An export that reads row by row from the server, while the same connection looks idle."""

from __future__ import annotations

import importlib
import time
from typing import Any

import django

from lifeline_lab.stage import attempt, done, ready, specification

ROWS = 3000


def main() -> None:
    """Iterate over a server-side cursor, and look after the connection half way."""
    from django.db import connection

    from lifeline_lab.programs.office.models import Timeline

    Timeline.objects.bulk_create(
        [Timeline(task="export", note=str(number)) for number in range(ROWS)]
    )
    with attempt("export", wanted=list(range(ROWS))) as answer:
        seen = []
        connection.ensure_connection()
        with connection.connection.cursor(streaming_cursor()) as rows:
            rows.execute("SELECT note FROM lifeline_lab_timeline ORDER BY id")
            for number, (note,) in enumerate(rows):
                seen.append(int(note))
                if number == ROWS // 2:
                    time.sleep(0.3)
                    connection.ensure_connection()
        answer.value = seen
    with attempt("count after", wanted=ROWS) as answer:
        answer.value = Timeline.objects.count()


def streaming_cursor() -> Any:
    """Return the driver's server-side cursor class."""
    module = "pymysql" if specification()["driver"] == "pymysql" else "MySQLdb"
    return importlib.import_module(f"{module}.cursors").SSCursor


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
