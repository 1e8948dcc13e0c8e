"""The process that is measured: one arm, one driver, one server; does batches when told to.

Started by `benchmarks.arms`. It reads its specification, then commands, as lines of JSON, and
answers each with a line. Only what happens between a command and its answer is measured, so
workers of several arms can take turns.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

WARM_UP = 3
"""Units before each batch that are not measured: the caches belong to another worker by then."""

Unit = Callable[[], object]


def set_up(spec: dict[str, Any]) -> None:
    """Configure Django as a site with this one database."""
    if spec["gevent"]:
        from gevent import monkey

        monkey.patch_all()
    if spec["driver"] == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": spec["database"]},
        INSTALLED_APPS=[],
        ROOT_URLCONF="benchmarks.units",
        SECRET_KEY="only-for-benchmarks",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[],
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()


def batch(unit: Unit, count: int) -> dict[str, float]:
    """Do ``count`` units; microseconds of wall time and of this process's CPU time for each."""
    for _ in range(min(WARM_UP, count)):
        unit()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        unit()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    gc.collect()
    return {"wall": wall * 1e6 / count, "cpu": cpu * 1e6 / count}


def count_calls(unit: Unit, times: int = 10) -> dict[str, Any]:
    """Count what one unit calls; the figure depends on no load and no processor."""
    python: Counter[CodeType] = Counter()
    native: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            python[frame.f_code] += 1
        elif event == "c_call":
            native[getattr(argument, "__qualname__", repr(argument))] += 1

    for _ in range(WARM_UP):
        unit()
    threading.setprofile(note)  # for threads that the unit starts
    sys.setprofile(note)
    try:
        for _ in range(times):
            unit()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    del python[unit.__code__], native["setprofile"]
    return {
        "python": sum(python.values()) / times,
        "native": sum(native.values()) / times,
        "by_function": {_place(code): calls / times for code, calls in python.items()},
        "by_native": {name: calls / times for name, calls in native.items()},
    }


def _place(code: CodeType) -> str:
    path = code.co_filename
    for part in ("site-packages/", "/src/", f"python3.{sys.version_info[1]}/"):
        path = path.rpartition(part)[2]
    return f"{path}:{code.co_firstlineno} {code.co_qualname}"


def resident() -> int:
    """Return the bytes of memory that this process has, after collecting garbage."""
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def answer(units: dict[str, Any], command: dict[str, Any]) -> dict[str, Any]:
    """Do one command."""
    unit = units[command["unit"]]
    if command["do"] == "batch":
        return batch(unit, command["count"])
    if command["do"] == "calls":
        return count_calls(unit)
    return dict(unit(**command["arguments"]))


def main() -> None:
    """Serve until the input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    spec = json.loads(sys.stdin.readline())
    set_up(spec)
    units = vars(importlib.import_module(spec["units"]))
    print("{}", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(units, json.loads(line))), file=replies, flush=True)
    replies.close()
    # At once: neither the garbage of a stock arm nor a pool's farewell is of interest.
    os._exit(0)


if __name__ == "__main__":
    main()
