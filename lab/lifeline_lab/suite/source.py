"""Fetches the tests of the installed Django from its source distribution."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

from lifeline_lab.servers.installation import cache_folder

# Of tests/requirements/py3.txt what the labels need beside Django's own requirements.
REQUIREMENTS = ("Jinja2", "Pillow", "PyYAML", "tblib", "tzdata")
PIP_TIMEOUT = 600


class SourceMissing(RuntimeError):
    """The tests cannot be fetched; the message holds what pip said."""


def tests_folder() -> Path:
    """Return the folder of the tests of exactly the installed Django, fetching it if need be."""
    version = django.get_version()
    target = _cache() / f"Django-{version}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            _fetch(version, Path(work))
            publish(Path(work) / "unpacked", target)
    return target / "tests"


def requirements_folder() -> Path:
    """Return a folder with the packages that the tests import, installing them if need be."""
    target = _cache() / f"packages-{sys.version_info[0]}.{sys.version_info[1]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            pip("install", "--target", f"{work}/packages", *REQUIREMENTS)
            publish(Path(work) / "packages", target)
    return target


def _cache() -> Path:
    return cache_folder() / "django-suite"


def _fetch(version: str, work: Path) -> None:
    pip("download", "--no-deps", "--no-binary=Django", f"--dest={work}", f"Django=={version}")
    archive = next(work.glob("*.tar.gz"), None)
    if archive is None:
        raise SourceMissing(f"The package index has no source distribution of Django {version}.")
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.name.split("/")[1:2] == ["tests"]]
        tar.extractall(work, members, filter="data")
    next(work.glob("*/tests")).parent.rename(work / "unpacked")


def pip(*words: str, python: Path | str = sys.executable) -> None:
    """Run pip for this interpreter, or for another; `SourceMissing` tells what it complained of."""
    answer = subprocess.run(
        [str(python), "-m", "pip", *words, "--quiet", "--disable-pip-version-check"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PIP_TIMEOUT,
    )
    if answer.returncode:
        raise SourceMissing(f"pip {' '.join(words)} failed:\n{answer.stderr[-2000:]}")


def publish(made: Path, target: Path) -> None:
    """Put a folder that is complete where others look for it."""
    try:
        made.rename(target)
    except OSError:
        # Another process fetched the same meanwhile.
        if not target.exists():
            raise
        shutil.rmtree(made)
