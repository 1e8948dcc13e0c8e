"""Huey: connections go back after each task, and workers say goodbye to the server.

huey = RedisHuey("shop")
install(huey)
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import drain_pools, give_back, missing
from django_lifeline.integrations.work import work_is

try:
    from huey.api import Huey
except ImportError as error:
    raise missing("huey") from error


def install(huey: Huey) -> None:
    """Add the hooks to *huey*; works with its threads, processes and greenlets."""

    def before_task(task: Any) -> None:
        if not huey.immediate:
            work_is(task.name)

    def after_task(task: Any, value: Any, exception: Any) -> None:
        # In immediate mode a task runs inside somebody's request.
        if not huey.immediate:
            give_back()
            work_is("")

    huey.pre_execute(name="lifeline")(before_task)
    huey.post_execute(name="lifeline")(after_task)
    huey.on_shutdown(name="lifeline")(drain_pools)
