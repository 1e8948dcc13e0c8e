"""gunicorn: hooks that close what a process leaves behind. They need no package.

In ``gunicorn.conf.py``:

    from django_lifeline.integrations.gunicorn import post_worker_init, when_ready, worker_exit

No ``post_fork`` is needed: a forked worker lets go of its parent's connections by itself.
"""

from __future__ import annotations

import sys
from typing import Any

from asgiref.local import Local
from django.db import connections

from django_lifeline.integrations.base import drain_pools


def when_ready(server: Any) -> None:
    """Close what the parent opened while it loaded the application (``--preload``).

    It serves nobody, so its sessions would sit on the server until it ends.
    """
    drain_pools()


def post_worker_init(worker: Any) -> None:
    """Let greenlets have Django's connections of their own, where gevent patched late.

    With ``--preload`` the application is loaded before gevent's worker patches the process. The
    place where Django keeps connections is then one for all greenlets, and it refuses each of them
    the connection of another.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        kept: Any = connections
        kept._connections = Local(kept.thread_critical)


def worker_exit(server: Any, worker: Any) -> None:
    """Close a worker's connections, with the goodbye that the server expects."""
    drain_pools()
