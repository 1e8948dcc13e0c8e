"""Real MariaDB and MySQL servers, private to this process: own folder, own port, own users.

``with start("mysql") as server:`` gives a running server and leaves nothing behind.
"""

from __future__ import annotations

from lifeline_lab.servers.finding import find
from lifeline_lab.servers.installation import (
    FLAVOURS,
    Installation,
    ServerFailed,
    ServerMissing,
)
from lifeline_lab.servers.server import Server, start

__all__ = ["FLAVOURS", "Installation", "Server", "ServerFailed", "ServerMissing", "find", "start"]
