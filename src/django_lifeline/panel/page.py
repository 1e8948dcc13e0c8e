"""What the page shows: gathered here, drawn by the template."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator

from django_lifeline.core.clock import now
from django_lifeline.panel import charts
from django_lifeline.panel.processes import SAMPLES, Snapshot, all_processes, publisher
from django_lifeline.panel.sessions import servers

LOSSES_ON_A_PAGE = 25


def context(number: str) -> dict[str, Any]:
    """Return the values of page *number*; a number that makes no sense is the first or last."""
    publisher.sample()
    processes = all_processes()
    time = now()
    losses = sorted(
        (
            {
                **loss,
                "when": _time(loss["at"]),
                "label": loss["label"].replace("_", " "),
                "process": process,
            }
            for process in processes
            for loss in process["latest"]
        ),
        key=lambda loss: -float(loss["at"]),
    )
    histories = [_history(process) for process in processes]
    return {
        "processes": [_shown(process, time) for process in processes],
        "servers": servers(processes),
        "losses": Paginator(losses, LOSSES_ON_A_PAGE).get_page(number),
        "counts": _counts(processes),
        "usage": charts.usage(histories, time),
        "loss_chart": charts.losses(histories, time),
        "chart": {"width": charts.WIDTH, "height": charts.HEIGHT},
    }


def _history(process: Snapshot) -> list[list[float]]:
    """From the process's begin, when there was nothing, to what the tables show of it."""
    history = process["history"]
    # A full one has forgotten how it began.
    begun = [] if len(history) >= SAMPLES else [[process["started"], 0, 0, 0, 0, 0]]
    pools = process["pools"]
    levels = [sum(pool[name] for pool in pools) for name in ("used", "idle", "waiting")]
    counts = _counts([process])
    return [*begun, *history, [process["at"], *levels, counts["healed"], counts["raised"]]]


def _time(seconds: float) -> datetime:
    # Templates show an aware time in the current zone, a naive one as it is.
    return datetime.fromtimestamp(seconds, UTC if settings.USE_TZ else None)


def _shown(process: Snapshot, time: float) -> dict[str, Any]:
    return {
        **process,
        "since": _time(process["started"]),
        "age": max(0, round(time - process["at"])),
    }


def _counts(processes: list[Snapshot]) -> dict[str, int]:
    """All losses since the processes began, not only those that are still kept."""
    counts = [count for process in processes for count in process["counts"]]
    healed = sum(count["times"] for count in counts if count["healed"])
    total = sum(count["times"] for count in counts)
    return {"total": total, "healed": healed, "raised": total - healed}
