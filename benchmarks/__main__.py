"""Runs benchmarks and writes ``docs/benchmarks.md`` from what they measured.

    scripts/bench [--quick] [name …]

``--quick`` only shows that they still run: tiny counts, one server, and no page.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks.record import circumstances
from benchmarks.report import PAGE, RESULTS, SECTIONS, write_page


def run(name: str, arguments: list[str]) -> None:
    """Run one in a process of its own, which writes its raw figures."""
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)


def run_pool_cycles(*, quick: bool) -> None:
    """Run the pool's own benchmark, which prints, and keep what it prints."""
    counts = ["--rounds", "1", "--seconds", "0.02"] if quick else []
    words = [sys.executable, "-m", "benchmarks.pool_cycles", *counts]
    load_before = os.getloadavg()
    output = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(output)
    if not quick:
        record = {"name": "pool_cycles", "options": {}, "output": output}
        record |= circumstances(load_before)
        (RESULTS / "pool_cycles.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=(__doc__ or "").split(".")[0]
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="only see whether they still run")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in SECTIONS]
    if unknown:
        parser.error(f"There is no {', '.join(unknown)}; choose from {', '.join(SECTIONS)}.")
    for name in chosen.names or SECTIONS:
        print(f"\n# {name}", flush=True)
        if name == "pool_cycles":
            run_pool_cycles(quick=chosen.quick)
        else:
            run(name, ["--quick"] if chosen.quick else [])
    if not chosen.quick:
        write_page()
        print(f"\nWritten: {PAGE}")


if __name__ == "__main__":
    main()
