"""What has arrived at the local SMTP server."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings


def path() -> Path:
    return Path(settings.FOLDER) / "mails.jsonl"


def arrived(limit: int = 200) -> list[dict[str, Any]]:
    """The last mails, the newest first, each with how often its Message-ID has come."""
    try:
        mails = [json.loads(line) for line in path().read_text().splitlines()]
    except FileNotFoundError:
        return []
    copies = Counter(mail["message_id"] for mail in mails)
    for mail in mails:
        mail["copies"] = copies[mail["message_id"]]
        mail["at"] = datetime.fromtimestamp(mail["at"], UTC)
    return mails[: -limit - 1 : -1]
