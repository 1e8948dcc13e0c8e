"""Dramatiq: connections go back after each message, and workers say goodbye to the server.

broker.add_middleware(ConnectionScopeMiddleware())
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import drain_pools, give_back, missing
from django_lifeline.integrations.work import work_is

try:
    from dramatiq.middleware import Middleware
except ImportError as error:
    raise missing("dramatiq") from error


class ConnectionScopeMiddleware(Middleware):
    """Gives back after each message, and closes this process's connections at the end."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Name the work after its actor."""
        work_is(message.actor_name)

    def after_process_message(self, broker: Any, message: Any, **outcome: Any) -> None:
        """Give back what the actor borrowed, whether it failed or not."""
        give_back()
        work_is("")

    def after_skip_message(self, broker: Any, message: Any) -> None:
        """Forget the name of what was not done."""
        work_is("")

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:
        """Close what the worker's threads have given back."""
        drain_pools()
