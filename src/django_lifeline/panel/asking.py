"""Asks a process over HTTP whether it is ready: the page is one of ``django_lifeline.health``."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, TextIO

from django_lifeline.diagnosis.readiness import State
from django_lifeline.diagnosis.usage import UsageError

TIMEOUT = 5.0
"""Seconds for each step of the answer. The page itself waits for nothing."""
LARGEST = 64 * 1024
"""Bytes; a longer answer is none of ours."""
_OK = 200


def ask(url: str, out: TextIO) -> bool:
    """Print what the page says of each database; whether it says that work may be sent.

    Raises `UsageError` for an address that is none.
    """
    _check(url)
    try:
        status, body = _answer(url)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        out.write(f"{url} does not answer: {reason or type(error).__name__}\n")
        return False
    said = _said(body)
    if said is None:
        out.write(f"{url} answers with {status}, and is no page of django_lifeline.health.\n")
        return False
    for alias, state in said.get("databases", {}).items():
        out.write(f"{alias} {state if state in list(State) else 'unknown'}\n")
    ready = status == _OK and said["ready"] is True
    out.write(f"{url}: {'ready' if ready else 'not ready'}\n")
    return ready


def _check(url: str) -> None:
    """Refuse what cannot be asked, without a word of it: a password may be in it."""
    try:
        parts = urllib.parse.urlsplit(url)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        fit = False
    if not fit or "@" in parts.netloc:
        raise UsageError("--url takes http://host:port/path or https://…, without a user.")


def _answer(url: str) -> tuple[int, bytes]:
    # No proxy of the environment stands between a probe and the process beside it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            return response.status, response.read(LARGEST)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(LARGEST)


def _said(body: bytes) -> Mapping[str, Any] | None:
    """Return what either page says, ``live`` as ``ready``; None for what is neither."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    if not isinstance(said, dict) or not {"live", "ready"} & said.keys():
        return None
    databases = said.get("databases")
    return {
        "ready": said.get("ready", said.get("live")),
        "databases": databases if isinstance(databases, dict) else {},
    }
