"""Puts one fault at a time into a copy of the project and runs the tests that should notice it."""

from __future__ import annotations

import enum
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.toml")
PACKAGE = "src/django_lifeline"
COPIED = ("src", "lab", "tests", "pyproject.toml")
INTERRUPTED = 2
"""How pytest ends when it is interrupted."""
LONGEST = 300.0
"""Seconds after which the tests of one mutant are ended: it hangs, which no test may."""
LONGEST_OF_ALL = 1200.0
"""The same for all of the tests together, without any fault."""


class Stale(Exception):
    """A mutant's snippet is not in its file, or more than once: the code has changed."""


class Unsound(Exception):
    """The tests fail without any fault too, or cannot be run with this one."""


class Verdict(enum.Enum):
    """What became of a mutant."""

    KILLED = "killed"
    HUNG = "killed (it hangs)"
    LIVES = "LIVES"


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    name: str
    file: str
    """Below ``src/django_lifeline``."""
    breaks: str
    """A sentence: which guarantee is broken by it."""
    old: str
    new: str
    tests: tuple[str, ...]
    """What pytest is to run: files, or single tests."""
    server: bool = False
    """Whether the tests need a server."""
    programs: bool = False
    """Whether random programs (`tests.differential`) must find it as well."""

    def applied(self, text: str) -> str:
        """The file's text with the fault in it; raises `Stale`."""
        if text.count(self.old) != 1:
            count = text.count(self.old)
            raise Stale(f"{self.name}: the snippet is {count} times in {self.file}, not once.")
        return text.replace(self.old, self.new)


def mutants(path: Path = LIST) -> list[Mutant]:
    """All mutants of the list."""
    listed = tomllib.loads(path.read_text())["mutant"]
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in listed]


def copy_project(folder: Path) -> None:
    """Copy what tests need to run."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)


@contextmanager
def put_in(mutant: Mutant, folder: Path) -> Iterator[None]:
    """Put the fault into the copy, and take it out again."""
    path = folder / PACKAGE / mutant.file
    sound = path.read_text()
    path.write_text(mutant.applied(sound))
    try:
        yield
    finally:
        path.write_text(sound)


def judge(mutant: Mutant, folder: Path) -> Verdict:
    """Run the mutant's tests on the copy."""
    with put_in(mutant, folder):
        status, said = run_tests(mutant.tests, folder)
    if status is None:
        return Verdict.HUNG
    if status == 0:
        return Verdict.LIVES
    if status == INTERRUPTED and "KeyboardInterrupt" in said:
        return Verdict.KILLED  # the engine has let one out that a test had thrown into it
    if status != 1:
        raise Unsound(f"{mutant.name}: pytest ended with {status}.\n{said}")
    return Verdict.KILLED


def search(mutant: Mutant, folder: Path, programs: int, seed: str) -> tuple[Verdict, int]:
    """Run random programs on the copy until one of them notices; and how many ran.

    With mysqlclient first: it has no word against a cursor that moves on another's answer.
    """
    ran = 0
    for driver in ("mysqlclient", "pymysql"):
        words = ["--driver", driver, "--server", "mariadb", "--as-drawn", "--first"]
        words += ["--programs", str(programs), "--seed", seed]
        with put_in(mutant, folder):
            verdict, programs_run = _ask_programs(mutant, folder, words)
        ran += programs_run
        if verdict is Verdict.KILLED:
            break
    return verdict, ran


def _ask_programs(mutant: Mutant, folder: Path, words: list[str]) -> tuple[Verdict, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.differential", *words],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
    )
    counted = re.search(r"^(\d+) programs, \d+ steps, (\d+) found$", done.stdout, re.MULTILINE)
    if counted is None:
        raise Unsound(f"{mutant.name}: the programs ended with {done.returncode}.\n{done.stderr}")
    return Verdict.LIVES if counted[2] == "0" else Verdict.KILLED, int(counted[1])


def check_sound(tests: Iterable[str], folder: Path) -> None:
    """Raise `Unsound` unless the tests pass where no fault is."""
    status, said = run_tests(tuple(dict.fromkeys(tests)), folder, keep_bytecode=True)
    if status != 0:
        raise Unsound(f"Without any fault pytest ended with {status}.\n{said}")


def run_tests(
    tests: tuple[str, ...], folder: Path, *, keep_bytecode: bool = False
) -> tuple[int | None, str]:
    """Return pytest's status, None when it took too long, and the end of what it said.

    With ``keep_bytecode`` later runs need not compile again what has no fault in it. Those with a
    fault keep none: two faults within a second would share a ``.pyc``.
    """
    words = [sys.executable, "-X", "dev", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*words, *tests],
            cwd=folder,
            env=_environment(folder, keep_bytecode=keep_bytecode),
            timeout=LONGEST_OF_ALL if keep_bytecode else LONGEST,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout[-2000:]


def _environment(folder: Path, *, keep_bytecode: bool = False) -> dict[str, str]:
    paths = (folder / "src", folder / "lab", folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if not keep_bytecode:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment
