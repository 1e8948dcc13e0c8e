"""A site under a real web server: visitors at night, then nobody, then the first of the morning."""

from __future__ import annotations

import sys

from django_lifeline.lab.programs.servers_of_pages import fetch_json, site
from django_lifeline.lab.stage import attempt, done, pause, ready

PRICES = [410, 412, 409]


def visit(address: str, who: str) -> None:
    """Look at the prices."""
    with attempt(who, wanted=PRICES) as answer:
        answer.value = fetch_json(address)["golds"]


def main(kind: str) -> None:
    """Serve visitors before and after a long silence."""
    with site(kind) as address:
        page = f"{address}/markets/golds/"
        if kind == "asgi":
            page += "async/?visitor=v"
        ready()
        for _ in range(3):
            visit(page, "visitor at night")
        pause("night")
        visit(page, "first visitor of the morning")
        visit(page, "second visitor")
    done()


if __name__ == "__main__":
    main(sys.argv[1])
