"""``scripts/mutants``: says of every mutant of the list whether a test notices it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from lifeline_lab.last_run import installed, last_run
from tests.mutants.runner import (
    ROOT,
    Mutant,
    Stale,
    Unsound,
    Verdict,
    check_sound,
    copy_project,
    judge,
    mutants,
    search,
)

PAGE = ROOT / "docs" / "results" / "mutants.md"
HEAD = """# Mutants: are the tests good enough to notice a fault?

Each line is a fault that `scripts/mutants` puts into a copy of the engine, and what the tests named
for it in `tests/mutants/mutants.toml` say to it. A fault that lives is a guarantee without a test.

"""


def main() -> int:
    """Run all mutants, or those named; return the number that live."""
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="only mutants with this in them")
    parser.add_argument("--no-server", action="store_true", help="only those without a server")
    parser.add_argument(
        "--programs", type=int, help="only those that so many random programs must find, by them"
    )
    parser.add_argument("--seed", default="1", help="which random programs")
    chosen = parser.parse_args()
    listed = [
        mutant
        for mutant in mutants()
        if not (chosen.no_server and mutant.server)
        and (not chosen.programs or mutant.programs)
        and (not chosen.names or any(name in mutant.name for name in chosen.names))
    ]
    with tempfile.TemporaryDirectory(prefix="lifeline-mutants-") as folder:
        copy_project(Path(folder))
        if chosen.programs:
            return search_all(listed, Path(folder), chosen.programs, chosen.seed)
        try:
            check_sound([test for mutant in listed for test in mutant.tests], Path(folder))
            verdicts = [verdict_of(mutant, Path(folder)) for mutant in listed]
        except (Stale, Unsound) as error:
            print(error, file=sys.stderr)
            return 2
    living = [verdict for verdict in verdicts if verdict is Verdict.LIVES]
    if not chosen.names and not chosen.no_server:
        write_page(listed, verdicts)
    print(f"{len(listed) - len(living)} of {len(listed)} killed")
    return 1 if living else 0


def verdict_of(mutant: Mutant, folder: Path) -> Verdict:
    """Judge one mutant and say so."""
    began = time.monotonic()
    verdict = judge(mutant, folder)
    print(f"{verdict.value:18} {mutant.name}  ({time.monotonic() - began:.0f} s)", flush=True)
    return verdict


def search_all(listed: list[Mutant], folder: Path, programs: int, seed: str) -> int:
    """Let random programs look for each; return 1 where one of them lives."""
    verdicts = []
    for mutant in listed:
        verdict, ran = search(mutant, folder, programs, seed)
        verdicts.append(verdict)
        print(f"{verdict.value:18} {mutant.name}  (program {ran})", flush=True)
    return int(Verdict.LIVES in verdicts)


def write_page(listed: list[Mutant], verdicts: list[Verdict]) -> None:
    """Write the results' page."""
    killed = sum(verdict is not Verdict.LIVES for verdict in verdicts)
    rows = [
        f"| {mutant.name} | `{mutant.file}` | {mutant.breaks} | {verdict.value} |"
        for mutant, verdict in zip(listed, verdicts, strict=True)
    ]
    table = ["| fault | file | what it breaks | |", "|---|---|---|---|", *rows]
    text = f"{HEAD}{killed} of {len(listed)} killed. {last_run(installed())}\n\n"
    text += "\n".join(table) + "\n"
    PAGE.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
