"""An import that meets one document larger than the server takes, and must go on after it."""

from __future__ import annotations

import django

from lifeline_lab.stage import attempt, done, ready

LARGE = 3 * 1024 * 1024
"""More than the ``max_allowed_packet`` of the scenario's server."""


def main() -> None:
    """Store three documents; the second is too large."""
    from lifeline_lab.programs.office.models import Document

    for name, size in (("before", 10), ("too large", LARGE), ("after", 20), ("last", 30)):
        with attempt(f"store {name}"):
            Document.objects.create(name=name, body="x" * size)


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
