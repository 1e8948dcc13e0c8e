"""One cell: a fresh process runs the program on one server, driver and arm, and is judged."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifeline_lab.admin import PREFIX, Admin, Login
from lifeline_lab.arms import ARMS
from lifeline_lab.history import Event, Outcome, parse
from lifeline_lab.judges import Kind, Verdict, judge
from lifeline_lab.scenario import Scenario
from lifeline_lab.scene import LabError, Scene, observed
from lifeline_lab.stage import FOLDER_VARIABLE, PROGRAMS

PASSWORD_VARIABLE = "LIFELINE_LAB_PASSWORD"
SETTINGS = "lifeline_lab.programs.website.settings"
LOOK_FOR_PAUSES = 0.02
TIME_TO_SET_UP = 30.0
"""Seconds until a program must be ready; one that is not is broken itself."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is run: a scenario on one server, with one driver, in one arm."""

    scenario: Scenario
    server: str
    driver: str
    arm: str

    @property
    def must_break(self) -> bool:
        """Tell whether this cell has to show the trouble."""
        return self.scenario.should_break(self.arm, self.server, self.driver)


@dataclass(frozen=True, slots=True)
class Result:
    """How a cell ended."""

    cell: Cell
    verdict: Verdict
    history: tuple[Event, ...] = ()
    seconds: float = 0.0
    server_version: str = ""

    @property
    def as_wanted(self) -> bool:
        """Survived where nothing must break, broken where it must."""
        if self.cell.must_break:
            return self.verdict.kind is Kind.BROKEN
        if self.cell.arm == "lifeline":
            return self.verdict.kind is Kind.SURVIVED
        return self.verdict.kind in (Kind.BROKEN, Kind.SURVIVED)


@dataclass(frozen=True)
class Place:
    """A server to run cells on: ours, or with ``server`` None a user's own."""

    flavour: str
    admin: Login
    """The administrator's way in; on a user's own server, the user's."""
    user: Login
    """The program's way in."""
    server: Any = None
    database: str = ""
    """A user's own database; empty where every cell gets one of its own."""
    options: dict[str, object] = field(default_factory=dict)
    """``OPTIONS`` that reaching a user's own server needs."""

    @property
    def is_ours(self) -> bool:
        """Tell whether the server is the lab's own."""
        return self.server is not None


def run_cell(cell: Cell, place: Place, number: int) -> Result:
    """Run one cell; whatever goes wrong in the lab itself is a lab error, never a pass."""
    begin = time.monotonic()
    try:
        outcome, version = _perform(cell, place, number)
        verdict = _verdict_on(cell, outcome)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        return Result(cell, Verdict(Kind.LAB_ERROR, "lab error", why), (), _since(begin))
    return Result(cell, verdict, outcome.history, _since(begin), version)


def _verdict_on(cell: Cell, outcome: Outcome) -> Verdict:
    problems = outcome.events("lab error")
    if problems and outcome.has("ready"):
        return Verdict(Kind.LAB_ERROR, "lab error", problems[0].facts["text"])
    return judge(cell.scenario.judge, outcome)


def _since(begin: float) -> float:
    return time.monotonic() - begin


def _perform(cell: Cell, place: Place, number: int) -> tuple[Outcome, str]:
    database = place.database or f"lifeline_lab_{number}"
    # In a user's database, nobody else's tables may have these names, not even another lab's.
    prefix = PREFIX if place.is_ours else f"{PREFIX}{os.getpid()}_{number}_"
    admin = Admin(place.admin, database, prefix)
    with (
        contextlib.closing(admin),
        admin.with_tables(own_database=place.is_ours),
        tempfile.TemporaryDirectory(prefix="lifeline-cell-") as folder,
        _proxy(cell, place) as proxy,
    ):
        run = _Run(cell, Path(folder), Scene(admin, place.server, proxy))
        if not place.is_ours:
            run.scene = Scene(admin, known_sessions=run.sessions_in_history)
        run.write_specification(place, database, prefix, proxy)
        with observed(run.scene):
            status = run.to_the_end(place.user.password)
        history = sorted([*run.history(), *run.scene.notes], key=lambda event: event.t)
        outcome = Outcome(tuple(history), admin.rows(), status, run.stderr())
        return outcome, admin.version()


@contextlib.contextmanager
def _proxy(cell: Cell, place: Place) -> Iterator[Any]:
    if not cell.scenario.proxy:
        yield None
        return
    from lifeline_lab.wire import WireProxy

    with WireProxy(place.user.host, place.user.port) as proxy:
        yield proxy


class _Run:
    """One run of the program: start it, act at its pauses, end it."""

    def __init__(self, cell: Cell, folder: Path, scene: Scene) -> None:
        self.cell = cell
        self.folder = folder
        self.scene = scene
        self._handled: set[str] = set()
        self._seen = 0
        self._known: list[Event] = []

    def write_specification(self, place: Place, database: str, prefix: str, proxy: Any) -> None:
        """Write what the program's settings read; the password travels in the environment."""
        scenario = self.cell.scenario
        options: dict[str, object] = {**place.options, **scenario.options}
        if not place.is_ours and "wait_timeout" in scenario.variables:
            options["init_command"] = "SET SESSION wait_timeout = 1"
        entry = {
            **ARMS[self.cell.arm].database(dict(scenario.settings)),
            "NAME": database,
            "USER": place.user.user,
            "HOST": place.user.host,
            "PORT": place.user.port if proxy is None else proxy.port,
            "OPTIONS": options,
        }
        specification = {"driver": self.cell.driver, "database": entry, "prefix": prefix}
        (self.folder / "cell.json").write_text(json.dumps(specification))

    def to_the_end(self, password: str) -> int | None:
        """Run the program; return its status, or None when it had to be ended."""
        program, *arguments = self.cell.scenario.program
        environment = {
            **os.environ,
            FOLDER_VARIABLE: str(self.folder),
            PASSWORD_VARIABLE: password,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONUNBUFFERED": "1",
        }
        with (self.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAMS / program), *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        try:
            return self._accompany(process)
        finally:
            # The program's own children belong to its process group; none outlives the cell.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.scene.close()

    def _accompany(self, process: subprocess.Popen[bytes]) -> int | None:
        begin = time.monotonic()
        while process.poll() is None:
            history = self.history()
            is_ready = any(event.event == "ready" for event in history)
            patience = self.cell.scenario.patience if is_ready else TIME_TO_SET_UP
            if time.monotonic() - begin > patience:
                self.scene.note("fault", "the lab gives up waiting")
                return None
            for event in history:
                if event.event == "pause" and event.op not in self._handled:
                    spent = self._act(event.op)
                    begin += spent
            time.sleep(LOOK_FOR_PAUSES)
        return process.returncode

    def _act(self, name: str) -> float:
        begin = time.monotonic()
        self._handled.add(name)
        fault = self.cell.scenario.faults.get(name)
        try:
            if fault is not None:
                fault(self.scene)
        except (LabError, OSError, AttributeError) as error:
            self.scene.note("lab error", name, text=f"{type(error).__name__}: {error}")
        (self.folder / f"go.{name}").touch()
        return time.monotonic() - begin

    def history(self) -> list[Event]:
        """Return what the program has told so far; reads the file only when it has grown."""
        file = self.folder / "history.jsonl"
        size = file.stat().st_size if file.exists() else 0
        if size != self._seen:
            self._seen = size
            self._known = parse(file.read_text().splitlines())
        return self._known

    def sessions_in_history(self) -> set[int]:
        """Return the sessions the program said it opened: the only ones we may touch."""
        found = {event.facts.get("session") for event in self.history()}
        return {number for number in found if isinstance(number, int)}

    def stderr(self) -> str:
        """Return what the program printed."""
        return (self.folder / "stderr").read_text(errors="replace")
