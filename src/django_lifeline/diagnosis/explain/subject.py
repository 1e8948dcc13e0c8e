"""Whether a text is about lost connections, though it shows none."""

from __future__ import annotations

import re

_ALWAYS = re.compile(
    r"gone away|close_old_connections|CONN_MAX_AGE|CONN_HEALTH_CHECKS|wait_timeout|max_connections"
    r"|interactive_timeout|max_allowed_packet|pool_pre_ping|connection pool|lost connection"
    r"|断开|连接池|长连接|连接超时|断线|重连",
    re.IGNORECASE,
)
_DATABASE = re.compile(r"mysql|mariadb|django|database|数据库", re.IGNORECASE)
_TROUBLE = re.compile(
    r"disconnect|reconnect|dropped|timed? ?out|idle|stale|broken pipe|too many|断|超时|失效",
    re.IGNORECASE,
)


def speaks_of_it(text: str) -> bool:
    """Whether *text* has the subject's own words, or speaks of a database's connections ending."""
    if _ALWAYS.search(text):
        return True
    return "onnect" in text and bool(_DATABASE.search(text)) and bool(_TROUBLE.search(text))
