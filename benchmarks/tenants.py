"""A thousand databases on one server of 151 connections, visited at random by four processes.

    python -m benchmarks.tenants [--tenants 1000] [--rounds 6] [--server mariadb] [--write]

In a round each thread visits each database once, in an order of its own: a request through
Django's handler, with one query whose answer says from which database it came. The same requests
to one database by the same number of processes and threads take turns with it, and so do requests
that read all the databases' tables through one of them: what the server takes for a thousand tables
is no engine's doing. Stock Django, which connects for each request or keeps what it has, is asked
for one round. ``--write`` puts the result into ``docs/results/tenants.md``.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lifeline_lab.last_run import installed, last_run
from lifeline_lab.servers import FLAVOURS, Server, start

PAGE = Path(__file__).parents[1] / "docs" / "results" / "tenants.md"
PROCESSES, THREADS = 4, 4
CALLS, COUNTED = "calls", 200
"""What a worker is told to count the calls of so many requests."""
STOCK, LIFELINE = "django.db.backends.mysql", "django_lifeline.backends.mysql"


def name_of(number: int) -> str:
    """Return a tenant's database."""
    return f"tenant_{number}"


# In the worker


def _set_up(spec: dict[str, Any]) -> list[str]:
    """Configure Django; return the aliases, one for each tenant, or the only one."""
    if spec["driver"] == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    count = spec["tenants"] if spec["style"] == "aliases" else 1
    aliases = ["default", *(f"t{number}" for number in range(1, count))]
    settings.configure(
        DATABASES={
            alias: {**spec["database"], "NAME": name_of(number)}
            for number, alias in enumerate(aliases)
        },
        ROOT_URLCONF=__name__,
        SECRET_KEY="only-for-benchmarks",
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
    )
    django.setup()
    return aliases


def _view(request: Any, number: int) -> Any:
    from django.db import connection, connections
    from django.http import HttpResponse

    style = _SPEC["style"]
    used = connections[_ALIASES[number]] if style == "aliases" else connection
    if style == "name" and used.settings_dict["NAME"] != name_of(number):
        used.close()
        used.settings_dict = {**used.settings_dict, "NAME": name_of(number)}
    table = f"{name_of(number)}.whose" if style == "tables" else "whose"
    with used.cursor() as cursor:
        cursor.execute(f"SELECT DATABASE(), name FROM {table}")
        found = cursor.fetchone()
    wanted = (
        name_of(0 if style in ("one", "tables") else number),
        name_of(0 if style == "one" else number),
    )
    return HttpResponse("" if found == wanted else f"{found[0]} for {wanted[0]}")


_SPEC: dict[str, Any] = {}
_ALIASES: list[str] = []
urlpatterns: list[Any] = []


def _serve(handler: Any, number: int) -> str:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/{number}/",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    statuses: list[str] = []
    response = handler(environ, lambda status, headers, error=None: statuses.append(status))
    body = b"".join(response).decode()
    response.close()
    return body if statuses[0].startswith("200") else statuses[0]


def _round(handler: Any, seed: int) -> dict[str, Any]:
    """Let each thread visit each tenant once; return times in microseconds, and what went wrong."""
    times: list[float] = []
    wrong: dict[str, int] = {}

    def visit(order: list[int]) -> None:
        for number in order:
            begun = time.perf_counter()
            try:
                said = _serve(handler, number)
            except Exception as error:
                said = f"{type(error).__name__} {error.args[0] if error.args else ''}"
            times.append((time.perf_counter() - begun) * 1e6)
            if said:
                wrong[said] = wrong.get(said, 0) + 1

    orders = []
    for thread in range(THREADS):
        order = list(range(_SPEC["tenants"]))
        random.Random(f"{os.getpid()} {seed} {thread}").shuffle(order)
        orders.append(order)
    begun = time.perf_counter()
    _CROWD.run([lambda order=order: visit(order) for order in orders])
    took = time.perf_counter() - begun
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "median": statistics.median(times),
        "each": took / len(times) * 1e6,
        "wrong": wrong,
        "memory": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    }


def _calls(handler: Any) -> float:
    """How many Python functions a request calls, by requests that a thread makes alone."""
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    numbers = random.Random(0).sample(range(_SPEC["tenants"]), min(COUNTED, _SPEC["tenants"]))
    sys.setprofile(note)
    for number in numbers:
        _serve(handler, number)
    sys.setprofile(None)
    return count / len(numbers)


class _Crowd:
    """Threads that stay from round to round, as those of a site do."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._gate = threading.Barrier(THREADS)
        self._threads = ThreadPoolExecutor(THREADS)

    def run(self, work: list[Any]) -> None:
        def begin(each: Any) -> None:
            self._gate.wait()  # so that each thread takes one
            each()

        for done in [self._threads.submit(begin, each) for each in work]:
            done.result()


_CROWD: Any = None


def _work() -> None:
    global _CROWD
    logging.disable()
    sys.modules["benchmarks.tenants"] = sys.modules[__name__]
    _SPEC.update(json.loads(sys.stdin.readline()))
    _ALIASES.extend(_set_up(_SPEC))
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import path

    urlpatterns.append(path("<int:number>/", _view))
    _CROWD = _Crowd()
    handler = WSGIHandler()
    for line in sys.stdin:
        told = _calls(handler) if line.strip() == CALLS else _round(handler, int(line))
        print(json.dumps(told), flush=True)


# In the parent


class Group:
    """The processes of one arm."""

    def __init__(self, server: Server, driver: str, style: str, engine: str, **more: Any) -> None:
        database = {
            "ENGINE": engine,
            "USER": server.user,
            "PASSWORD": server.password,
            "HOST": server.host,
            "PORT": server.port,
            **more.pop("database", {}),
        }
        self.spec = {"driver": driver, "style": style, "database": database, **more}
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.tenants", "--worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(PROCESSES)
        ]
        for process in self.processes:
            self._say(process, json.dumps(self.spec))

    def round(self, number: int) -> dict[str, Any]:
        """Go one round in all processes at once."""
        for process in self.processes:
            self._say(process, str(number))
        told = [json.loads(process.stdout.readline()) for process in self.processes]  # type: ignore[union-attr]
        wrong: dict[str, int] = {}
        for each in told:
            for text, count in each["wrong"].items():
                wrong[text] = wrong.get(text, 0) + count
        return {
            "median": statistics.median(each["median"] for each in told),
            "each": statistics.mean(each["each"] for each in told) / PROCESSES,
            "memory": statistics.mean(each["memory"] for each in told),
            "wrong": wrong,
        }

    def calls(self) -> float:
        """How many Python functions a request calls in one of the processes."""
        process = self.processes[0]
        self._say(process, CALLS)
        return float(json.loads(process.stdout.readline()))  # type: ignore[union-attr]

    def _say(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()

    def close(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.communicate(timeout=60)


def prepare(server: Server, tenants: int) -> None:
    """Make the databases."""
    for number in range(tenants):
        name = name_of(number)
        server.create_database(name)
        server.query(f"CREATE TABLE {name}.whose (name VARCHAR(100))")
        server.query(f"INSERT INTO {name}.whose VALUES ('{name}')")


def measure(server: Server, driver: str, style: str, chosen: Any) -> dict[str, Any]:
    """Compare requests to many databases with requests to one."""
    most = 0
    with ExitStack() as stack:
        groups = {}
        for arm, kind in (("one", "one"), ("tables", "tables"), ("many", style)):
            lifeline = {"max_connections": chosen.limit} if arm == "many" else {}
            ours = {"OPTIONS": {"lifeline": lifeline}}
            group = Group(server, driver, kind, LIFELINE, tenants=chosen.tenants, database=ours)
            stack.callback(group.close)
            groups[arm] = group
        rounds: dict[str, list[dict[str, Any]]] = {arm: [] for arm in groups}
        trips: dict[str, float] = {}
        for number in range(chosen.rounds):
            for arm, group in groups.items():
                asked = _questions(server)
                rounds[arm].append(group.round(number))
                requests = PROCESSES * THREADS * chosen.tenants
                trips[arm] = (_questions(server) - asked) / requests
                [(_, connected)] = server.query("SHOW STATUS LIKE 'Threads_connected'")
                most = max(most, int(connected))
        calls = {arm: group.calls() for arm, group in groups.items()}
    later = range(1, chosen.rounds)

    def ratio(arm: str) -> float:
        return statistics.median(rounds["many"][n]["each"] / rounds[arm][n]["each"] for n in later)

    return {
        "server": f"{server.flavour} {server.version}",
        "driver": driver,
        "style": style,
        "ratios": {arm: ratio(arm) for arm in ("one", "tables")},
        **{arm: statistics.median(rounds[arm][n]["each"] for n in later) for arm in rounds},
        "calls": calls,
        "trips": trips,
        "memory": [each["memory"] for each in rounds["many"]],
        "wrong": [each["wrong"] for arm in rounds.values() for each in arm if each["wrong"]],
        "most": most,
        "refused": _refused(server),
    }


def _questions(server: Server) -> int:
    """How many commands it was asked so far: each is a round trip."""
    [(_, count)] = server.query("SHOW GLOBAL STATUS LIKE 'Questions'")
    return int(count)


def _refused(server: Server) -> int:
    [(_, count)] = server.query("SHOW GLOBAL STATUS LIKE 'Connection_errors_max_connections'")
    return int(count)


def stock(server: Server, driver: str, style: str, age: int | None, chosen: Any) -> dict[str, Any]:
    """Let stock Django go a round."""
    before = _refused(server)
    how = {"CONN_MAX_AGE": age}
    group = Group(server, driver, style, STOCK, tenants=chosen.tenants, database=how)
    try:
        told = group.round(0)
    finally:
        group.close()
    return {"age": age, "style": style, "refused": _refused(server) - before, **told}


RATIO = """\
What the ratios hold: nearly every request takes a connection over from another database. That is
one round trip more (COM_INIT_DB), the end of one piece of work and the beginning of another, and
Python on objects that no cache holds any more, since each request meets another of a thousand
pools. To read a thousand tables in place of one costs the server something as well, whoever asks
and by whatever connection: *all tables* shows it, requests to one database that name the others in
their SQL. That is most of it with MySQL, and hardly anything with MariaDB.

The aim of 1.3 is missed with requests as small as these, of one query on one row; the round trip
and the calls stay the same where a request does more. Only these two are exact: where others use
the machine the ratios swing, since a connection that has slept long finds every cache cold. Two
runs within one hour came to 1.2 and 4.7 times one database with MariaDB, 1.9 and 3.0 with MySQL
(1.8 and 4.6, and 1.1 and 1.3 times all tables)."""

HEAD = (
    "| server | driver | style | one database, µs for each request | all tables | many databases "
    "| many ÷ one | many ÷ all tables | round trips, one and many | Python calls, one and many "
    "| most sessions | refused (1040) | memory of a process after each round, MB "
    "| rounds with errors or wrong answers |"
)
STOCK_TABLE = "## Stock Django, one round"


def row(it: dict[str, Any]) -> str:
    """Return a line of the page's table."""
    cells = [
        *(it["server"], it["driver"], it["style"]),
        *(f"{it[arm]:.0f}" for arm in ("one", "tables", "many")),
        *(f"{it['ratios'][arm]:.2f}" for arm in ("one", "tables")),
        f"{it['trips']['one']:.2f}, {it['trips']['many']:.2f}",
        f"{it['calls']['one']:.0f}, {it['calls']['many']:.0f}",
        *(it["most"], it["refused"], " ".join(f"{mb:.0f}" for mb in it["memory"])),
        len(it["wrong"]),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def stock_table(others: list[dict[str, Any]]) -> str:
    """Return how stock Django did."""
    stocks = [
        f"| {it['style']} | {it['age']} | {it['each']:.0f} | {it['refused']} "
        f"| {sum(it['wrong'].values())} |"
        for it in others
    ]
    return "\n".join(
        [
            STOCK_TABLE,
            "",
            "| style | CONN_MAX_AGE | µs for each request | connections refused (1040) "
            "| requests that failed |",
            "|---|---|---|---|---|",
            *stocks,
            "",
            last_run(installed()),
            "",
        ]
    )


def page(results: list[dict[str, Any]], stocks: str, chosen: Any) -> str:
    """Return what was measured, as the docs show it."""
    return "\n".join(
        [
            "# A thousand databases on one server",
            "",
            f"{chosen.tenants} databases on a server of 151 connections, visited by {PROCESSES} "
            f"processes of {THREADS} threads, `max_connections` {chosen.limit} each. In each of "
            f"{chosen.rounds} rounds every thread visits every database once, in random order: a "
            "request through Django's handler with one query. The same requests to one database "
            "take turns with it. Made by `python -m benchmarks.tenants --write` on two cores that "
            "others used too; compare the ratios.",
            "",
            "`name`: one alias, whose `NAME` is set for each request. `aliases`: an alias for each "
            "database; Django looks at every alias's wrapper at the beginning and the end of each "
            "request, with any engine.",
            "",
            RATIO,
            "",
            HEAD,
            "|---" * (HEAD.count("|") - 1) + "|",
            *map(row, results),
            "",
            stocks,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=28, help="of each process")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--server", choices=FLAVOURS, action="append")
    parser.add_argument("--driver", choices=("mysqlclient", "pymysql"), action="append")
    parser.add_argument("--style", choices=("name", "aliases"), action="append")
    parser.add_argument("--without-stock", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        _work()
        return
    results, others = [], []
    for flavour in chosen.server or FLAVOURS:
        with start(flavour, {"max_connections": 151}) as server:
            prepare(server, chosen.tenants)
            for driver in chosen.driver or ("mysqlclient", "pymysql"):
                for style in chosen.style or ("name", "aliases"):
                    results.append(measure(server, driver, style, chosen))
                    print(json.dumps(results[-1]), flush=True)
            if not others and not chosen.without_stock:
                for style, age in (("name", 0), ("aliases", 0), ("aliases", None)):
                    others.append(stock(server, "mysqlclient", style, age, chosen))
                    print(json.dumps(others[-1]), flush=True)
    if chosen.write:
        kept = STOCK_TABLE + PAGE.read_text().partition(STOCK_TABLE)[2]
        PAGE.write_text(page(results, stock_table(others) if others else kept, chosen))


if __name__ == "__main__":
    main()
