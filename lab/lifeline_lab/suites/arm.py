"""Runs a package's tests with one engine, in a copy of its source and a fresh process."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lifeline_lab.servers import Server
from lifeline_lab.suite.comparison import Run
from lifeline_lab.suite.process import OURS, Command, Tell, run_to_the_end
from lifeline_lab.suite.source import SourceMissing
from lifeline_lab.suites.package import ENGINE_PLACE, Package

PROGRAM = "lifeline_lab.suites.program"
SQLITE = "django.db.backends.sqlite3"


@dataclass(frozen=True, slots=True)
class Arm:
    """One engine under a package's tests."""

    package: Package
    engine: str
    driver: str
    python: Path
    source: Path


def run_arm(arm: Arm, server: Server, tell: Tell) -> Run:
    """Run the tests; ``tell(done, planned, test)`` hears of the progress."""
    with _copy(arm) as source:
        return run_to_the_end(lambda folder: _command(arm, server, source, folder), tell)


@contextmanager
def _copy(arm: Arm) -> Iterator[Path]:
    """Give a copy to work in, patched, so that no run sees what another left."""
    with TemporaryDirectory(prefix="suites-") as folder:
        source = Path(folder) / "source"
        shutil.copytree(arm.source, source, symlinks=True)
        for patch in arm.package.patches:
            file = source / patch.file
            text = file.read_text()
            if patch.old not in text:
                raise SourceMissing(f"{patch.file} of {arm.package.name}: nothing to patch.")
            file.write_text(text.replace(patch.old, patch.new.replace(ENGINE_PLACE, arm.engine)))
        yield source


def databases(package: Package, engine: str, server: Server) -> dict[str, dict[str, object]]:
    """Return the package's ``DATABASES``, on the server and with the engine given."""
    plain = {
        "ENGINE": engine,
        "HOST": server.host,
        "PORT": server.port,
        "USER": server.user,
        "PASSWORD": server.password,
        "OPTIONS": {"charset": "utf8mb4"},
    }
    return {
        alias: dict(own)
        if own.get("ENGINE") == SQLITE
        else {**plain, "NAME": database_name(alias), **own, "TEST": _test(own)}
        for alias, own in package.databases.items()
    }


def database_name(alias: str) -> str:
    """Return the name of an alias's database; Django adds ``test_`` to it."""
    return f"suite_{alias.replace('-', '_')}"


def _test(own: Mapping[str, object]) -> dict[str, object]:
    given = own.get("TEST", {})
    assert isinstance(given, Mapping)
    return {"CHARSET": "utf8mb4", **given}


def _command(arm: Arm, server: Server, source: Path, folder: Path) -> Command:
    package = arm.package
    given = {
        "driver": arm.driver,
        "runner": package.runner,
        "labels": package.labels,
        "settings": package.settings,
        "record": str(folder / "record"),
        "done": str(folder / "done"),
        "databases": databases(package, arm.engine, server),
    }
    places = {"port": str(server.port), "host": server.host}
    own = {name: value.format(**places) for name, value in package.environment.items()}
    at = source / package.folder
    paths = [str(at), str(source), *OURS]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        **own,
        "DJANGO_SUITE": json.dumps(given),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    words = (str(arm.python), "-X", "faulthandler", "-m", PROGRAM)
    return Command(words, environment, at)
