"""What a source of credentials may answer, and for how long an answer holds: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_lifeline.core.classification import (
    ER_ACCESS_DENIED_ERROR,
    ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
)

SPARE = 5.0
"""Seconds before its end in which an answer is not used any more: connecting takes time, and the
server's clock is another."""

REFUSED = frozenset({ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR})
"""What a server says to a wrong password, or to an account that is gone."""


class NotCredentials(TypeError):
    """What was given for credentials is none; the message shows its kind, never its value."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to log in with. ``expires_at`` is an aware ``datetime``, or seconds since 1970.

    Without ``user`` the one of the settings is taken. Without ``expires_at`` the source is asked
    again for each connection.
    """

    password: str = field(repr=False)
    user: str | None = None
    expires_at: datetime | float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.password, str):
            raise NotCredentials(f"the password is {_kind(self.password)}, not a str")
        if self.user is not None and not isinstance(self.user, str):
            raise NotCredentials(f"the user is {_kind(self.user)}, not a str")
        end = self.expires_at
        if isinstance(end, datetime):
            if end.tzinfo is None:
                raise NotCredentials("'expires_at' is a datetime without a time zone")
        elif end is not None and (isinstance(end, bool) or not isinstance(end, int | float)):
            raise NotCredentials(
                f"'expires_at' is {_kind(end)}, not an aware datetime or seconds since 1970"
            )

    def holds(self, now: float) -> bool:
        """Whether it may be used at ``now`` (seconds since 1970) without asking again."""
        end = self.expires_at
        if end is None:
            return False
        return now < (end.timestamp() if isinstance(end, datetime) else end) - SPARE

    def is_over(self, now: float) -> bool:
        """Whether it says of itself that the server does not take it any more."""
        return self.expires_at is not None and not self.holds(now)

    def alike(self, other: Credentials) -> bool:
        """Whether a server would answer the same to both."""
        return (self.user, self.password) == (other.user, other.password)

    def put_into(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return a driver's parameters with these in the place of theirs."""
        filled = {name: params[name] for name in params if name != "passwd"}
        filled["password"] = self.password
        if self.user is not None:
            filled["user"] = self.user
        return filled


def credentials_of(answer: object) -> Credentials:
    """Read what a source gave: a password, ``(user, password)`` or `Credentials`.

    Raises `NotCredentials`.
    """
    if isinstance(answer, Credentials):
        return answer
    if isinstance(answer, str):
        return Credentials(answer)
    if isinstance(answer, tuple) and len(answer) == 2:
        user, password = answer
        return Credentials(password, user)
    raise NotCredentials(f"it gave {_kind(answer)}")


def password_in(text: str) -> Credentials:
    """Read a mounted file: the newline that most editors and tools put last is no part of it."""
    return Credentials(text.removesuffix("\n").removesuffix("\r"))


def _kind(value: object) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
