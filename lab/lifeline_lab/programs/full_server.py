"""A worker that starts while the server has no connection to spare, for a moment."""

from __future__ import annotations

import django

from lifeline_lab.stage import attempt, done, pause, ready


def main() -> None:
    """Work through the moment."""
    from lifeline_lab.programs.office.models import Timeline

    pause("before the first query")
    for number in range(3):
        with attempt("save"):
            Timeline.objects.create(task="busy", note=str(number))


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
