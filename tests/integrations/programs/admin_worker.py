"""Another process of the same project: it uses the shop, loses its connection, and stays."""

from __future__ import annotations

import sys

from tests.integrations.programs import admin_site
from tests.server.programs.toolbox import kill

if __name__ == "__main__":
    admin_site.use(int(sys.argv[1]))
    from django.db import connections

    from django_lifeline.panel import processes

    with connections["shop"].cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        kill(*cursor.fetchone())
        cursor.execute("SELECT 1")
    processes.write(processes.snapshot())
    print("ready", flush=True)
    sys.stdin.read()
