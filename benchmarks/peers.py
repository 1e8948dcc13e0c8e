"""What becomes of a lost connection with other remedies: the table of ``docs/comparison.md``.

    python -m benchmarks.peers          needs django-db-connection-pool and django-dbconn-retry

Each cell is a fresh process on a private server. It prints the table; times play no part in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from typing import Any

from lifeline_lab.servers import Server, start

STOCK = "django.db.backends.mysql"
ARMS: dict[str, dict[str, Any]] = {
    "stock": {"ENGINE": STOCK},
    "stock, health checks": {"ENGINE": STOCK, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True},
    "django-dbconn-retry": {"ENGINE": STOCK, "CONN_MAX_AGE": None, "app": "django_dbconn_retry"},
    "django-db-connection-pool": {
        "ENGINE": "dj_db_conn_pool.backends.mysql",
        "POOL_OPTIONS": {"POOL_SIZE": 10, "MAX_OVERFLOW": 0, "TIMEOUT": 2},
    },
    "django-lifeline": {"ENGINE": "django_lifeline.backends.mysql"},
}
SETUP = """
import json, os, sys, threading, time
database = json.loads(os.environ["DATABASE"])
app = database.pop("app", None)
from django.conf import settings
settings.configure(DATABASES={"default": database}, INSTALLED_APPS=[app] if app else [])
import django
django.setup()
from django.db import close_old_connections, connection, transaction
import MySQLdb

def admin(sql):
    with_socket = MySQLdb.connect(user="root", unix_socket=os.environ["SOCKET"], autocommit=True)
    cursor = with_socket.cursor()
    cursor.execute(sql)
    rows = cursor.fetchall()
    with_socket.close()
    return rows

def ask(sql="SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return (cursor.fetchone() or [None])[0]

def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

def said(work):
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__} {error.args[0] if error.args else ''}".strip()[:60]
"""
SITUATIONS = {
    "KILL between two statements, no request": """
number = ask("SELECT CONNECTION_ID()")
admin(f"KILL {number}")
time.sleep(0.2)
answers = [said(ask), said(ask)]
print("survives" if answers == [1, 1] else ", then ".join(map(str, answers)))
""",
    "idle for longer than wait_timeout, no request": """
ask("SET SESSION wait_timeout = 1")
time.sleep(2.5)
answers = [said(ask), said(ask)]
print("survives" if answers == [1, 1] else ", then ".join(map(str, answers)))
""",
    "10 threads ended without closing; the next one asks": """
import gc
gc.disable()  # as if nobody had collected yet
for _ in range(10):
    in_thread(ask)
answers = []
in_thread(lambda: answers.append(said(ask)))
left = len(admin("SELECT 1 FROM information_schema.processlist WHERE user <> 'root'"))
print(f"answers, {left} sessions" if answers == [1] else f"{answers[0]}, {left} sessions")
""",
    "sql_mode that one piece of work set, in the next": """
ask("SET SESSION sql_mode = 'ANSI_QUOTES'")
close_old_connections()
print("leaks" if ask("SELECT @@sql_mode") == "ANSI_QUOTES" else "as configured")
""",
    "a forked child closes its connections; the parent asks": """
ask()
child = os.fork()
if child == 0:
    from django.db import connections
    said(connections.close_all)
    os._exit(0)
os.waitpid(child, 0)
answers = [said(ask), said(ask)]
print("survives" if answers == [1, 1] else ", then ".join(map(str, answers)))
""",
    "KILL after the first statement of a transaction": """
def work():
    with transaction.atomic():
        ask("SELECT 1")
        number = ask("SELECT CONNECTION_ID()")
        admin(f"KILL {number}")
        time.sleep(0.2)
        ask()
answers = [said(work), said(ask)]
print(f"raises {answers[0]}, then " + ("survives" if answers[1] == 1 else str(answers[1])))
""",
}


def cell(server: Server, arm: dict[str, Any], program: str) -> str:
    """Return what the program says with this arm."""
    where = {"HOST": server.host, "PORT": server.port, "NAME": "peers"}
    database = {**where, "USER": server.user, "PASSWORD": server.password, **arm}
    done = subprocess.run(
        [sys.executable, "-c", SETUP + program],
        env={**os.environ, "DATABASE": json.dumps(database), "SOCKET": str(server.socket)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing"]
    return lines[-1]


def main() -> None:
    with start("mariadb") as server:
        server.query("CREATE DATABASE peers")
        print(f"| MariaDB {server.version}, mysqlclient | {' | '.join(ARMS)} |")
        print("|---" * (len(ARMS) + 1) + "|")
        for situation, program in SITUATIONS.items():
            told = [cell(server, arm, program) for arm in ARMS.values()]
            print(f"| {situation} | {' | '.join(told)} |", flush=True)
    packages = ("Django", "mysqlclient", "django-db-connection-pool", "django-dbconn-retry")
    print(", ".join(f"{name} {metadata.version(name)}" for name in packages))


if __name__ == "__main__":
    main()
