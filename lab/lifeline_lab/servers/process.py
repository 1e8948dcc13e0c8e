"""Starts a process that cannot outlive this one, and ends exactly that process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

# Reads until our end of its pipe closes, which the kernel does even when we are SIGKILLed.
GUARD = 'read -r _; kill -9 "$1" 2>/dev/null; sleep 1; rm -rf "$2"'

STOPS_WITHIN = 10.0


class GuardedProcess:
    """A child process, with a guard that ends it and removes its folder should we die.

    Only the process that started it ever ends it: a forked child of ours does nothing.
    """

    def __init__(self, words: list[str], log: Path, folder: Path) -> None:
        self._owner = os.getpid()
        with log.open("ab") as output:
            # Its own session: Ctrl-C in the terminal is for us, and we stop it in good order.
            self._child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self.pid), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process runs and is ours."""
        if self._owner == os.getpid():
            self._child.send_signal(number)

    def await_stop(self) -> None:
        """Wait until SIGSTOP has reached every thread; on a busy machine that takes a while."""
        deadline = time.monotonic() + STOPS_WITHIN
        while not all(map(_is_stopped, Path(f"/proc/{self.pid}/task").glob("*/stat"))):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"Process {self.pid} did not stop within {STOPS_WITHIN} s.")
            time.sleep(0.001)

    def end(self, timeout: float | None = None) -> None:
        """End the process: politely when a timeout (seconds) is given, else with SIGKILL."""
        if self._owner != os.getpid():
            return
        if timeout is not None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)
        self._child.kill()
        self._child.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        # Before its pipe is closed, or it would remove the folder of a server to be started again.
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()


def _is_stopped(stat: Path) -> bool:
    try:
        # The state follows the name, which may hold brackets itself.
        return stat.read_text().rpartition(")")[2].split()[0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
        return True
