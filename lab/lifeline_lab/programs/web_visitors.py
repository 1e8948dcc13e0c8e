"""A site under a real web server: visitors at night, then nobody, then the first of the morning."""

from __future__ import annotations

import sys

from lifeline_lab.programs.servers_of_pages import fetch_json, site
from lifeline_lab.stage import attempt, done, pause, ready

VISITORS_BY_DAY = 12
PRICES = [410, 412, 409]


def visit(address: str, who: str) -> None:
    """Look at the prices."""
    with attempt(who, wanted=PRICES) as answer:
        answer.value = fetch_json(address)["golds"]


def main(kind: str) -> None:
    """Serve visitors before and after a long silence."""
    with site(kind) as address:
        page = f"{address}/markets/golds/"
        ready()
        for _ in range(3):
            visit(page, "visitor at night")
        pause("night")
        visit(page, "first visitor of the morning")
        for _ in range(VISITORS_BY_DAY):
            visit(page, "visitor by day")
    done()


if __name__ == "__main__":
    main(sys.argv[1])
