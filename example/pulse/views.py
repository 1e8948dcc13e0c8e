"""The numbers of the last two minutes. Needs no database, so it answers in any trouble."""

import time

from django.http import HttpRequest, JsonResponse

from pulse import path, record

SECONDS = 90


def pulse(request: HttpRequest) -> JsonResponse:
    lines = record.read(path())
    now = time.time()
    return JsonResponse(
        {"series": record.series(lines, now, SECONDS), "schedule": record.health(lines), "at": now}
    )
