"""The page of a request that failed: it tells the number, which is what this site is about."""

import sys

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def name_of(error: BaseException | None) -> str:
    """``"OperationalError 2006"``; never the text, which could hold more than a number."""
    if error is None:
        return "unknown error"
    numbered = isinstance(error, Error) and error.args and isinstance(error.args[0], int)
    return f"{type(error).__name__} {error.args[0]}" if numbered else type(error).__name__


def server_error(request: HttpRequest) -> HttpResponse:
    # No context processors: they may need the very database that is in trouble.
    context = {"error": name_of(sys.exc_info()[1])}
    response = render(None, "500.html", context, status=500)
    response["X-Error"] = context["error"]
    return response
