"""Finds Django's blocks among the callers: it tells nobody that it leaves one, and how."""

from __future__ import annotations

import sys
from types import FrameType

from django.db.transaction import Atomic


def leaves_a_block(caller: FrameType) -> bool:
    """Whether the caller is what Django leaves a block by."""
    ours = caller.f_code.co_qualname == "Atomic.__exit__"
    return ours and caller.f_globals.get("__name__") == Atomic.__module__


def savepoint_of(leaving: FrameType) -> str | None:
    """The savepoint of the block that is left; None where it has none."""
    sid: str | None = leaving.f_locals.get("sid")
    return sid


def ending_block() -> str | None:
    """The savepoint of the innermost block that is being left: it is in no list any more."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and not leaves_a_block(frame):
        frame = frame.f_back
    return None if frame is None else savepoint_of(frame)
