"""What is said of a package whose tests are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ENGINE_PLACE = "{engine}"
"""In a patch: the engine under test."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A text of one file of the source that is put in another's place, where it must be found."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Package:
    """A published package and how its own tests are run, with our databases in its settings."""

    name: str
    version: str
    settings: str = ""
    """The module of its settings, or ``module:function`` that returns them.

    Empty where its tests call ``settings.configure()`` themselves.
    """
    runner: Literal["django", "pytest"] = "django"
    labels: tuple[str, ...] = ()
    """What the runner is told to run: Django's labels, or files of pytest."""
    requirements: tuple[str, ...] = ()
    """What its tests need beside Django, a driver, the package itself and its requirements."""
    databases: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: {"default": {}})
    """Its aliases, and in what they differ from a plain entry."""
    folder: str = "."
    """Where the tests are run, inside the source."""
    repository: str = ""
    """Where its source archive carries no tests: the repository, which has them."""
    tag: str = ""
    """The repository's name for the version; the version itself if empty."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of its tests; ``{port}`` and the like stand for the server's."""
    patches: tuple[Patch, ...] = ()
    django_below: tuple[int, int] | None = None
    """The first Django that the package does not want."""
    why: str = ""
    """What makes it worth running, and what was left out."""
