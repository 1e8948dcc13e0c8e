"""Answers for probes, from what the process knows already: no connection, no wait, no query.

``path("health/", include("django_lifeline.health"))`` gives ``health/live/`` and ``health/ready/``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache

from django_lifeline.diagnosis.readiness import State, state_of
from django_lifeline.panel.processes import publisher

SERVICE_UNAVAILABLE = 503


def databases() -> dict[str, State]:
    """Return the state of this process's pools by alias; of several pools the worst one's."""
    from django_lifeline.backends.assembly import targets

    targets.notice_fork()
    found: dict[str, State] = {}
    for target in targets:
        state = state_of(asdict(target.pool.stats()))
        known = found.get(target.alias)
        if known is None or known.ready and (not state.ready or known is State.UNUSED):
            found[target.alias] = state
    return found


@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Say that the process answers. The database has no part in it: a restart mends no database."""
    return JsonResponse({"live": True})


@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether to send work here: 200, or 503 where a database is away or its pool exhausted."""
    states = databases()
    is_ready = all(state.ready for state in states.values())
    body: dict[str, Any] = {"ready": is_ready, "databases": states}
    return JsonResponse(body, status=200 if is_ready else SERVICE_UNAVAILABLE)


for _alias in connections:
    # ATOMIC_REQUESTS would begin a transaction, for which a connection is borrowed.
    live = transaction.non_atomic_requests(using=_alias)(live)
    ready = transaction.non_atomic_requests(using=_alias)(ready)
publisher.watch()  # for ``lifeline status --exit-code``

urlpatterns = [
    path("live/", live, name="lifeline-live"),
    path("ready/", ready, name="lifeline-ready"),
]
