"""Runs Django's tests with one engine, in a fresh process, and watches it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django_lifeline.lab.servers import Server
from django_lifeline.lab.suite.comparison import Outcome, Run

PATIENCE = 300.0
"""Seconds without any test's beginning or end after which a process counts as hung."""
LOOK_EVERY = 0.5
MAX_PROCESSES = 10
"""How often the rest of the tests is taken up again after a crash or hang."""
ABORT_TIMEOUT = 10
LAST_WORDS = 6000

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Arm:
    """What is run, and with which engine."""

    engine: str
    driver: str
    labels: tuple[str, ...]
    tests: Path
    packages: Path
    parallel: int = 1


def run_arm(arm: Arm, server: Server, tell: Tell) -> Run:
    """Run the labels; ``tell(done, planned, test)`` hears of the progress.

    A process that crashes or hangs costs the test it was in; the others go on in a new process.
    """
    run = Run()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="django-suite-") as folder:
        for number in range(MAX_PROCESSES):
            process = _Process(arm, server, Path(folder) / str(number), run, tell)
            if process.ran_to_its_end():
                break
    run.seconds = time.monotonic() - started
    return run


class _Process:
    """One process of an arm, with the record that it writes."""

    def __init__(self, arm: Arm, server: Server, folder: Path, run: Run, tell: Tell) -> None:
        folder.mkdir()
        self._run = run
        self._tell = tell
        self._record = folder / "record"
        self._record.touch()
        self._output = folder / "output"
        self._planned: list[str] = []
        self._before = len(run.outcomes)
        self._current = ""
        self._ended = False
        (folder / "done").write_text(json.dumps(list(run.outcomes)))
        words, environment = _command(arm, server, folder)
        with self._output.open("wb") as output:
            self._child = subprocess.Popen(
                words,
                env=environment,
                cwd=arm.tests,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def ran_to_its_end(self) -> bool:
        """Follow the process until it ends; False where tests are left for another one."""
        try:
            hung = not self._follow()
        except BaseException:
            self._kill()
            raise
        left = [test for test in self._planned if test not in self._run.outcomes]
        if self._ended and not hung and self._child.returncode in (0, 1):
            # Tests whose class could not be set up have no outcome of their own.
            return True
        how = "hung" if hung else f"ended with {self._child.returncode}"
        last = self._output.read_text(errors="replace")[-LAST_WORDS:]
        where = f"in {self._current}" if self._current else "outside any test"
        self._run.crashes.append(f"{how} {where}\n{last}")
        if self._current:
            self._run.outcomes[self._current] = Outcome("hung" if hung else "crashed", last)
        return not self._current or not left

    def _follow(self) -> bool:
        """Read the record while the process runs; False: it hung, and was ended."""
        seen = time.monotonic()
        with self._record.open() as record:
            while True:
                ended = self._child.poll() is not None
                if self._read(record):
                    seen = time.monotonic()
                if ended:
                    return True
                if time.monotonic() - seen > PATIENCE:
                    self._end_with_traceback()
                    return False
                time.sleep(LOOK_EVERY)

    def _read(self, record: IO[str]) -> bool:
        found = False
        while True:
            place = record.tell()
            line = record.readline()
            if not line.endswith("\n"):
                # Half written: the rest comes, or its writer is gone.
                record.seek(place)
                break
            self._note(json.loads(line))
            found = True
        if found:
            planned = self._before + len(self._planned)
            self._tell(len(self._run.outcomes), planned, self._current)
        return found

    def _note(self, event: Mapping[str, Any]) -> None:
        if "planned" in event:
            self._planned += event["planned"]
        elif "start" in event:
            self._current = event["start"]
        elif "ended" in event:
            self._ended = True
        else:
            test, found = event["test"], Outcome(event["outcome"], event["detail"])
            # A test may succeed and its clean-up fail: the worse of both counts.
            if not (test in self._run.outcomes and self._run.outcomes[test].bad):
                self._run.outcomes[test] = found
            if test == self._current:
                self._current = ""

    def _end_with_traceback(self) -> None:
        # The fault handler writes on SIGABRT where each thread is.
        self._child.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(ABORT_TIMEOUT)
        self._kill()

    def _kill(self) -> None:
        """End the process and the children it left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()


def _command(arm: Arm, server: Server, folder: Path) -> tuple[list[str], dict[str, str]]:
    given = {
        "driver": arm.driver,
        "runtests": str(arm.tests / "runtests.py"),
        "record": str(folder / "record"),
        "done": str(folder / "done"),
        "database": {
            "ENGINE": arm.engine,
            "HOST": server.host,
            "PORT": server.port,
            "USER": server.user,
            "PASSWORD": server.password,
        },
    }
    module = "django_lifeline.lab.suite"
    words = [
        *(sys.executable, "-X", "faulthandler", "-m", f"{module}.program"),
        *(f"--settings={module}.settings", f"--parallel={arm.parallel}"),
        *("--noinput", "--verbosity=1", *arm.labels),
    ]
    paths = [str(Path(__file__).parents[3]), str(arm.packages), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "DJANGO_SUITE": json.dumps(given),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    return words, environment
