"""Runs tests in a fresh process and follows the record that it writes, come what may."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import django_lifeline
import lifeline_lab
from lifeline_lab.suite.comparison import Outcome, Run

PATIENCE = 300.0
"""Seconds without any test's beginning or end after which a process counts as hung."""
LOOK_EVERY = 0.5
MAX_PROCESSES = 10
"""How often the rest of the tests is taken up again after a crash or hang."""
ABORT_TIMEOUT = 10
LAST_WORDS = 6000

OURS = [str(Path(package.__path__[0]).parent) for package in (django_lifeline, lifeline_lab)]
"""Where the engine and the lab are imported from."""

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started that runs tests and records what becomes of them."""

    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path


def run_to_the_end(command: Callable[[Path], Command], tell: Tell) -> Run:
    """Run the tests; ``tell(done, planned, test)`` hears of the progress.

    ``command`` is asked for each process anew and gets a folder, in which the process finds in
    ``done`` the tests to leave out and writes its ``record``. A process that crashes or hangs
    costs the test it was in; the others go on in a new process.
    """
    run = Run()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        for number in range(MAX_PROCESSES):
            process = _Process(command, Path(folder) / str(number), run, tell)
            if process.ran_to_its_end():
                break
    run.seconds = time.monotonic() - started
    return run


class _Process:
    """One process of an arm, with the record that it writes."""

    def __init__(
        self, command: Callable[[Path], Command], folder: Path, run: Run, tell: Tell
    ) -> None:
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
        how = command(folder)
        with self._output.open("wb") as output:
            self._child = subprocess.Popen(
                how.words,
                env=how.environment,
                cwd=how.folder,
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
        elif "left_open" in event:
            self._run.left_open = event["left_open"]
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
