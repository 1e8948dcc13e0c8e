"""gunicorn: hooks that close what a process leaves behind. They need no package.

In ``gunicorn.conf.py``:

    from django_lifeline.integrations.gunicorn import when_ready, worker_exit

No ``post_fork`` is needed: a forked worker lets go of its parent's connections by itself.
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import drain_pools


def when_ready(server: Any) -> None:
    """Close what the parent opened while it loaded the application (``--preload``).

    It serves nobody, so its sessions would sit on the server until it ends.
    """
    drain_pools()


def worker_exit(server: Any, worker: Any) -> None:
    """Close a worker's connections, with the goodbye that the server expects."""
    drain_pools()
