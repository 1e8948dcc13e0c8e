"""Django database connections to MySQL and MariaDB that do not go away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_lifeline.core.credentials import Credentials as Credentials
    from django_lifeline.diagnosis.explain import explain as explain
    from django_lifeline.scopes import connection_scope as connection_scope
    from django_lifeline.scopes import pools as pools

__all__ = ["Credentials", "connection_scope", "explain", "pools"]


def __getattr__(name: str) -> Any:
    # Importing the package needs no settings and no driver, and loads next to nothing.
    if name == "explain":
        from django_lifeline.diagnosis.explain import explain

        return explain
    if name == "Credentials":
        from django_lifeline.core.credentials import Credentials

        return Credentials
    if name in __all__:
        from django_lifeline import scopes

        return getattr(scopes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
