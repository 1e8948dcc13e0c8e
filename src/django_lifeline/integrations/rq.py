"""RQ: workers that give connections back after each job and say goodbye to the server.

rq worker --worker-class django_lifeline.integrations.rq.Worker
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import drain_pools, give_back, missing

try:
    import rq
except ImportError as error:
    raise missing("rq") from error


class Worker(rq.Worker):
    """Forks a process for each job; it ends without Python's clean-up, so this closes before."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Wait for jobs until told to end.

        What the worker itself has opened, as Django's checks do before its command begins, would
        sit on the server all the time, and PyMySQL says no goodbye when the process ends.
        """
        drain_pools()
        try:
            return super().work(*args, **kwargs)
        finally:
            drain_pools()

    def perform_job(self, *args: Any, **kwargs: Any) -> Any:
        """Run one job in the forked process."""
        try:
            return super().perform_job(*args, **kwargs)
        finally:
            drain_pools()


class SimpleWorker(rq.SimpleWorker):
    """Runs its jobs itself, one after the other."""

    def perform_job(self, *args: Any, **kwargs: Any) -> Any:
        """Run one job."""
        try:
            return super().perform_job(*args, **kwargs)
        finally:
            give_back()

    def teardown(self) -> None:
        """End the worker."""
        super().teardown()
        drain_pools()
