"""What is known about one server program: where it is and how it wants to be run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FLAVOURS = ("mariadb", "mysql")


class ServerMissing(RuntimeError):
    """No such server program here; the message tells the command that would install it."""


class ServerFailed(RuntimeError):
    """A server did not start or a data folder could not be made; the message holds its log."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A server program that can be run."""

    flavour: str
    """``"mariadb"`` or ``"mysql"``."""
    version: str
    """Such as ``"10.11.19-MariaDB"`` or ``"9.7.4"``."""
    program: tuple[str, ...]
    """The words that run the server; its options follow."""
    arguments: tuple[str, ...] = ()
    """Options that every run of this program needs."""
    initialise: tuple[str, ...] = ()
    """The words that make a data folder; ``--datadir=…`` follows."""
    tables: tuple[Path, ...] = ()
    """Statements that make the system's tables, for a program that has to be told them."""

    @property
    def folder_name(self) -> str:
        """A name for cached things that belong to exactly this version."""
        safe = "".join(
            letter if letter.isalnum() or letter in ".-" else "_" for letter in self.version
        )
        return f"{self.flavour}-{safe}"


def cache_folder() -> Path:
    """Where downloads and prepared data folders are kept from one run to the next."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "django-lifeline"


def run_as() -> tuple[str, ...]:
    """The option without which both servers refuse to run for root."""
    return ("--user=root",) if os.geteuid() == 0 else ()
