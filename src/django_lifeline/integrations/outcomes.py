"""What the caller saw of a loss, in one word for all metrics."""

from __future__ import annotations

from django_lifeline.backends.notices import Loss, Lost, Restored


def outcome_of(event: Loss) -> str:
    """Return ``restored``, ``raised``, or ``refused`` where no connection was lost by it."""
    if isinstance(event, Restored):
        return "restored"
    return "raised" if isinstance(event, Lost) else "refused"
