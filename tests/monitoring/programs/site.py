"""Requests through Django's handler, each of which tells how the server saw its statement."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.test import RequestFactory
from django.urls import path
from opentelemetry import trace
from tests.monitoring.tools import OPENING
from tests.monitoring.tools.traces import finished

REQUESTS = 5
SEES_ITSELF = (
    "SELECT CONNECTION_ID(), INFO FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()"
)


def text(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute(SEES_ITSELF)
        session, info = cursor.fetchone()
    context = trace.get_current_span().get_span_context()
    return JsonResponse(
        {"session": session, "text": info, "trace": trace.format_trace_id(context.trace_id)}
    )


urlpatterns = [path("text", text)]


def main() -> None:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["*"]
    handle = WSGIHandler()
    said: list[dict[str, Any]] = []
    for _ in range(REQUESTS):
        finished()
        request = RequestFactory().get("/text")
        response = handle(request.environ, lambda *_: None)
        answer = json.loads(b"".join(response))
        response.close()
        spans = [
            f"{span.kind.name} {span.name}"
            for span in finished()
            if not OPENING.search(span.attributes.get("db.statement", ""))
        ]
        said.append({**answer, "spans": spans})
    print(json.dumps({"requests": said}))


main()
