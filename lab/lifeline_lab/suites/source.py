"""Fetches a package's source with its tests, and makes the environment that they run in."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

from lifeline_lab.arms import DRIVERS
from lifeline_lab.servers.installation import cache_folder
from lifeline_lab.suite.source import SourceMissing, pip, publish
from lifeline_lab.suites.package import Package

DRIVER_REQUIREMENTS = dict(zip(DRIVERS, ("mysqlclient>=2.2.1", "PyMySQL[rsa]>=1.1.3"), strict=True))
GIT_TIMEOUT = 600
VENV_TIMEOUT = 120


def source_folder(package: Package) -> Path:
    """Return the folder of the package's source, fetching it if need be."""
    target = _cache() / f"{package.name}-{package.version}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            fetch = _clone if package.repository else _download
            publish(fetch(package, Path(work)), target)
    return target


def interpreter(package: Package, driver: str) -> Path:
    """Return the Python of the package's own environment, making that if need be."""
    wanted = requirements(package, driver)
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = _cache() / f"{package.name}-{package.version}-python{python}-{digest}"
    ready = target / "ready"
    if not ready.exists():
        _words(sys.executable, "-m", "venv", "--clear", str(target), timeout=VENV_TIMEOUT)
        pip("install", *wanted, python=target / "bin" / "python")
        ready.touch()
    return target / "bin" / "python"


def requirements(package: Package, driver: str) -> list[str]:
    """Return what is installed for a package's tests: the Django of this process among it."""
    runner = ("pytest", "pytest-django") if package.runner == "pytest" else ()
    return [
        f"Django=={django.get_version()}",
        f"{package.name}=={package.version}",
        DRIVER_REQUIREMENTS[driver],
        *runner,
        *package.requirements,
    ]


def installed(python: Path, *names: str) -> dict[str, str]:
    """Return the versions of distributions in an environment."""
    program = (
        "import importlib.metadata as m, json, sys;"
        "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    )
    return dict(json.loads(_words(str(python), "-c", program, *names, timeout=60)))


def _cache() -> Path:
    return cache_folder() / "suites"


def _download(package: Package, work: Path) -> Path:
    pin = f"{package.name}=={package.version}"
    pip("download", "--no-deps", f"--no-binary={package.name}", f"--dest={work}", pin)
    archive = next(work.glob("*.tar.gz"), None)
    if archive is None:
        raise SourceMissing(f"The package index has no source archive of {pin}.")
    with tarfile.open(archive) as tar:
        tar.extractall(work / "unpacked", filter="data")
    [unpacked] = (work / "unpacked").iterdir()
    return unpacked


def _clone(package: Package, work: Path) -> Path:
    tag = package.tag or package.version
    words = ("git", "clone", "--quiet", "--depth=1", "--branch", tag, package.repository)
    _words(*words, str(work / "clone"), timeout=GIT_TIMEOUT)
    return work / "clone"


def _words(*words: str, timeout: float) -> str:
    answer = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )
    if answer.returncode:
        raise SourceMissing(f"{' '.join(words)} failed:\n{answer.stderr[-2000:]}")
    return answer.stdout
