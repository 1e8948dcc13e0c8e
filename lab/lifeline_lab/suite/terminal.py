"""What both suites' command lines have in common: choices in one word, and progress."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from lifeline_lab.suite.process import Tell

STEPS = 20
"""Lines of progress per arm where the output is no terminal."""


def some_of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Return what reads an argument such as ``mariadb,mysql``, each of them one of ``known``."""

    def some(text: str) -> tuple[str, ...]:
        wanted = tuple(text.split(","))
        if wrong := set(wanted) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(wrong)}; there are {', '.join(known)}")
        return wanted

    return some


def teller(title: str) -> Tell:
    """Return what tells of a run's progress: as a bar, or as lines where there is no terminal."""
    told = -1

    def tell(done: int, planned: int, test: str) -> None:
        nonlocal told
        step = STEPS * done // max(planned, 1)
        if sys.stdout.isatty():
            bar = "█" * step + "░" * (STEPS - step)
            end = "\n" if planned and done >= planned else ""
            line = f"\r\x1b[K{title} {bar} {done}/{planned} {test}"
            print(line[:140], end=end, flush=True)
        elif step > told:
            told = step
            print(f"{title}: {done}/{planned}", flush=True)

    return tell
