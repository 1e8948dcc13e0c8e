"""``python -m lifeline_lab.incidents``: measure how well causes are told apart."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django_lifeline.diagnosis.causes import CAUSES
from lifeline_lab.incidents.causes import all_kinds
from lifeline_lab.incidents.kinds import NOTHING
from lifeline_lab.incidents.report import as_json, as_markdown, as_text, describe
from lifeline_lab.incidents.runner import Result, run
from lifeline_lab.incidents.scoring import Score
from lifeline_lab.incidents.setting import draw
from lifeline_lab.last_run import installed

RESULTS = Path("docs/results")
ENDINGS = {"json": "json", "markdown": "md"}
CHOICES = (*CAUSES, NOTHING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 when no diagnosis was wrong or missing, 1 when one was, 2 when the lab failed."""
    chosen = parser().parse_args(arguments)
    kinds = all_kinds()
    asked = {name: kind for name, kind in kinds.items() if kind.truth in (chosen.cause or CHOICES)}
    settings = draw(asked, chosen.seed, chosen.count)
    with progress(len(settings)) as advance:
        results, versions = run(settings, chosen.seed, advance, jobs=chosen.jobs)
    print(as_text(results))
    for result in results:
        if result.problem:
            print(f"\nnot brought about: {result.setting.kind}: {result.problem.strip()}")
    used = {**installed(), **versions}
    pages = {
        "json": as_json(results, chosen.seed, used),
        "markdown": as_markdown(results, chosen.seed, used, kinds),
    }
    for name, text in pages.items():
        # A part of the incidents is not what the documentation is to show.
        usual = None if chosen.cause else RESULTS / f"diagnosis.{ENDINGS[name]}"
        _write(getattr(chosen, name) or usual, text)
    found = {result.score for result in results}
    if Score.FAILED in found:
        return 2
    return 1 if found & {Score.WRONG, Score.SILENT} else 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    words = argparse.ArgumentParser(
        prog="python -m lifeline_lab.incidents",
        description="Make losses of every known cause happen on real servers, in settings drawn "
        "by chance, and compare what the engine says of them with what was done.",
    )
    words.add_argument("--count", type=int, default=240, help="how many (default: 240)")
    words.add_argument("--seed", type=int, default=1, help="what chance begins with (default: 1)")
    words.add_argument(
        "--jobs", type=int, default=2, help="servers with drivers at a time (default: 2)"
    )
    words.add_argument(
        "--cause",
        action="append",
        choices=CHOICES,
        metavar="NAME",
        help="only this one; may be repeated (default: all)",
    )
    for name in ENDINGS:
        words.add_argument(
            f"--{name}",
            type=Path,
            metavar="FILE",
            help=f"where the {name} goes (default: {RESULTS}, or nowhere with --cause)",
        )
    return words


@contextmanager
def progress(total: int) -> Iterator[Callable[[Result], None]]:
    """Show a bar on a terminal, and a line for whatever is not as it should be."""
    begin, done = time.monotonic(), 0

    def advance(result: Result) -> None:
        nonlocal done
        done += 1
        if result.score in (Score.WRONG, Score.SILENT):
            _clear()
            print(f"{result.score.value}: {describe(result)}", flush=True)
        if sys.stderr.isatty():
            filled = 40 * done // total
            bar = "█" * filled + "░" * (40 - filled)
            spent = time.monotonic() - begin
            print(f"\r{bar} {done}/{total} {spent:.0f} s", end="", file=sys.stderr, flush=True)

    yield advance
    _clear()


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
