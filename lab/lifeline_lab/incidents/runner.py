"""Runs the cells, each in a process of its own, and gathers what they tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lifeline_lab.incidents.kinds import GREENLET
from lifeline_lab.incidents.scoring import Score, Told, score
from lifeline_lab.incidents.setting import Setting

PATIENCE_EACH = 20.0
PATIENCE_AT_LEAST = 180.0
"""Seconds after which a cell that hangs is ended, and for each of its incidents."""


@dataclass(frozen=True, slots=True)
class Result:
    """One incident and what was made of it."""

    setting: Setting
    told: Told
    caller: tuple[str, ...] = ()
    """What the caller met."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What the incident drew besides its setting: limits, idle times, sizes."""
    problem: str = ""
    """Why the lab failed to bring it about; empty when it did not fail."""

    @property
    def score(self) -> Score:
        """How good the diagnosis was."""
        return Score.FAILED if self.problem else score(self.setting.truth, self.told)


Tell = Callable[[Result], None]


def run(
    settings: Sequence[Setting], seed: int, tell: Tell, *, jobs: int = 2
) -> tuple[list[Result], dict[str, str]]:
    """Run all incidents, ``jobs`` cells at a time; return them and the servers' versions."""
    cells: dict[tuple[str, str, bool], list[Setting]] = {}
    for setting in settings:
        cell = (setting.server, setting.driver, setting.lane == GREENLET)
        cells.setdefault(cell, []).append(setting)
    results: list[Result] = []
    versions: dict[str, str] = {}
    lock = threading.Lock()

    def heard(line: dict[str, Any]) -> None:
        with lock:
            if "version" in line:
                versions[line["server"]] = line["version"]
            else:
                results.append(read(line))
                tell(results[-1])

    def work(cell: tuple[str, str, bool]) -> None:
        mine = cells[cell]
        heard_of: set[str] = set()

        def note(line: dict[str, Any]) -> None:
            heard_of.add(line.get("seed", ""))
            heard(line)

        why = _run_cell(cell, mine, seed, note)
        for setting in mine:
            if setting.seed not in heard_of:
                heard({**setting.as_json(), "problem": f"The cell ended before: {why}"})

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, cells))
    return results, versions


def _run_cell(
    cell: tuple[str, str, bool],
    settings: list[Setting],
    seed: int,
    note: Callable[[dict[str, Any]], None],
) -> str:
    server, driver, gevent = cell
    asked = {
        "server": server,
        "driver": driver,
        "gevent": gevent,
        "seed": seed,
        "settings": [setting.as_json() for setting in settings],
    }
    with subprocess.Popen(
        [sys.executable, "-m", "lifeline_lab.incidents.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        limit = PATIENCE_AT_LEAST + PATIENCE_EACH * len(settings)
        watch = threading.Timer(limit, process.kill)
        watch.start()
        errors: list[str] = []
        drain = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
        drain.start()
        assert process.stdin is not None and process.stdout is not None
        try:
            json.dump(asked, process.stdin)
            process.stdin.close()
            for line in process.stdout:
                note(json.loads(line))
            process.wait()
        finally:
            watch.cancel()
            process.kill()
            drain.join()
    return f"exit status {process.returncode}; {errors[0][-2000:]}"


def read(line: dict[str, Any]) -> Result:
    """Return the result that a cell told in a line."""
    names = Setting.__dataclass_fields__
    setting = Setting(**{name: line[name] for name in names})
    told = dict(line.get("told", {}))
    told["causes"] = tuple(told.get("causes", ()))
    return Result(
        setting,
        Told(**told),
        tuple(line.get("caller", ())),
        line.get("figures", {}),
        line.get("problem", ""),
    )
