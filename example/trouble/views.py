"""The panel. Staff only, since it breaks things."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from launch.control import NAME, NotOurs
from trouble import deeds

LONGEST = 28_800


@staff_member_required
def panel(request: HttpRequest) -> HttpResponse:
    own = (Path(settings.FOLDER) / NAME).exists()
    return render(request, "trouble/panel.html", {"own": own, "runner": settings.SCHEDULE_RUNNER})


@staff_member_required
@require_POST
def make(request: HttpRequest, name: str) -> JsonResponse:
    """Make one trouble; answer with the steps."""
    if name not in TROUBLES:
        raise Http404("no such trouble")
    try:
        steps = TROUBLES[name](request)
    except (NotOurs, ValueError) as error:
        return JsonResponse({"refused": str(error)}, status=409)
    return JsonResponse({"steps": steps})


def _timeout(request: HttpRequest) -> deeds.Steps:
    seconds = int(request.POST.get("seconds", "2"))
    if not 1 <= seconds <= LONGEST:
        raise ValueError(f"Choose 1 to {LONGEST} seconds.")
    return deeds.set_timeout(seconds, request.POST.get("scope") == "global")


TROUBLES = {
    "timeout": _timeout,
    "kill": lambda request: deeds.kill_sessions(),
    "restart": lambda request: deeds.restart(kill=False),
    "crash": lambda request: deeds.restart(kill=True),
    "fork": lambda request: deeds.fork(),
    "packet": lambda request: deeds.oversized_packet(),
    "fill": lambda request: deeds.fill_connections(),
}
