"""The process of one cell: makes its incidents happen, and prints a line of JSON for each.

PyMySQL takes mysqlclient's place for a whole process, so each server and driver has its own. It
reads the settings from its standard input.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from lifeline_lab.incidents.kinds import MAIN, NOTHING
from lifeline_lab.incidents.setting import Setting

THREADS = 10
"""Incidents at the same time: they mostly wait."""
MEET = 60.0
"""Seconds until all that a disaster is to befall must be ready for it."""


def main() -> None:
    """Run what standard input asks for."""
    asked = json.load(sys.stdin)
    _set_up(asked["driver"], gevent=asked["gevent"])
    cell = Cell(
        asked["server"], str(asked["seed"]), [Setting(**each) for each in asked["settings"]]
    )
    cell.run()


def _set_up(driver: str, *, gevent: bool) -> None:
    if gevent:
        from gevent import monkey

        monkey.patch_all()
    if driver == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django_lifeline.backends.mysql"}}, USE_TZ=True
    )
    django.setup()
    if driver == "pymysql":
        # Django imports parts of MySQLdb, which puts a second copy of the driver's errors there.
        importlib.import_module("django.db.backends.mysql.base")
        pymysql.err = sys.modules["pymysql.err"]


def say(line: dict[str, Any]) -> None:
    """Print one line; several threads do."""
    with _printing:
        print(json.dumps(line, default=str), flush=True)


_printing = threading.Lock()


class Cell:
    """The incidents of one server and driver."""

    def __init__(self, server: str, seed: str, settings: list[Setting]) -> None:
        from lifeline_lab.incidents.causes import all_kinds

        self._server = server
        self._seed = seed
        self._settings = settings
        self._kinds = all_kinds()

    def run(self) -> None:
        """Run all: those that share a server beside one another, those that fork alone."""
        from lifeline_lab.incidents.bench import listen
        from lifeline_lab.incidents.place import Place

        listen()
        beside, disasters, alone = self._sorted()
        with ExitStack() as stack:
            place = Place(self._server, self._seed, stack)
            for setting in alone:
                self._one(setting, place, _nothing)
            with ThreadPoolExecutor(THREADS, thread_name_prefix="incident") as pool:
                fate = threading.Thread(target=self._befall, args=(disasters, place))
                fate.start()
                list(pool.map(lambda setting: self._one(setting, place, _nothing), beside))
                fate.join()
            versions = {"version": place.steady.version, "variables": place.variables}
        say({"server": self._server, **versions})

    def _sorted(self) -> tuple[list[Setting], dict[str, list[Setting]], list[Setting]]:
        beside: list[Setting] = []
        alone: list[Setting] = []
        disasters: dict[str, list[Setting]] = defaultdict(list)
        for setting in self._settings:
            kind = self._kinds[setting.kind]
            if kind.disaster:
                disasters[kind.disaster].append(setting)
            else:
                (alone if setting.lane == MAIN else beside).append(setting)
        return beside, disasters, alone

    def _befall(self, disasters: dict[str, list[Setting]], place: Any) -> None:
        for name, settings in disasters.items():
            with ExitStack() as lasting:

                def happen(name: str = name, lasting: ExitStack = lasting) -> None:
                    lasting.enter_context(place.disaster(name))

                meeting = threading.Barrier(len(settings), action=happen, timeout=MEET)
                threads = [
                    threading.Thread(
                        target=self._one, args=(setting, place, _strike(meeting)), name="incident"
                    )
                    for setting in settings
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

    def _one(self, setting: Setting, place: Any, strike: Callable[[], object]) -> None:
        from lifeline_lab.incidents.bench import Bench

        kind = self._kinds[setting.kind]
        problem = ""
        with ExitStack() as stack:
            bench = Bench(setting, place, strike, stack)
            try:
                if kind.disaster:
                    bench.on(place.fragile)
                kind.act(bench)
                if kind.truth != NOTHING:
                    bench.check()
            except BaseException:
                problem = traceback.format_exc()
                _excuse(strike)
        say({**bench.outcome(), "problem": problem})


def _nothing() -> None:
    """Nothing befalls the server."""


def _strike(meeting: threading.Barrier) -> Callable[[], object]:
    return meeting.wait


def _excuse(strike: Callable[[], object]) -> None:
    """Let the others not wait for one that failed before the disaster."""
    meeting = getattr(strike, "__self__", None)
    if isinstance(meeting, threading.Barrier):
        meeting.abort()


if __name__ == "__main__":
    main()
