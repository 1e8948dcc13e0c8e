"""Installs the two servers: MariaDB from the system's packages, MySQL unpacked into the cache.

Where a distribution packages no MySQL 9 (every released Debian), the one of Debian's unstable
suite is unpacked together with the libraries it wants. It is not installed: the system's own
packages, sources and apt state are neither used nor changed. ``LIFELINE_MARIADB=unpacked`` has the
same done with MariaDB, which is newer there than in a released Debian.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lifeline_lab.servers.finding import (
    find,
    unpacked_mariadb,
    unpacked_mysql,
    wants_unpacked_mariadb,
)
from lifeline_lab.servers.installation import Installation, ServerMissing

# The core package has the programs only: nothing starts, nothing listens on port 3306. Its
# mariadb-install-db asks my_print_defaults, which is the client's, and does not depend on it.
MARIADB_PACKAGES = ("mariadb-server-core", "mariadb-client-core")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MYSQL = ("MySQL 9", "mysql-server-core", "60 MB")
MARIADB = ("MariaDB", "mariadb-server-core", "16 MB")
BY_HAND = {
    "mariadb": "Without LIFELINE_MARIADB the installed one is taken.",
    "mysql": "Install MySQL 8.4 or later so that its mysqld is on PATH.",
}
APT_TIMEOUT = 900
Progress = Callable[[str], None]


def install(flavour: str, progress: Progress) -> Installation:
    """Return the server program, installing it first where that is possible.

    ``progress`` is told each step. Raises `ServerMissing`, with the command to type, otherwise.
    """
    try:
        return find(flavour)
    except ServerMissing:
        if flavour == "mariadb" and not wants_unpacked_mariadb():
            _install_mariadb(progress)
        else:
            _unpack_server(flavour, progress)
    return find(flavour)


def plan(flavour: str) -> str:
    """Say what `install` would fetch, from where and whither; empty where nothing is missing."""
    try:
        find(flavour)
    except ServerMissing as error:
        if not shutil.which("apt-get"):
            return str(error)
    else:
        return ""
    if flavour == "mariadb" and not wants_unpacked_mariadb():
        names = " and ".join(MARIADB_PACKAGES)
        how = "installed with apt-get" if _root() is not None else "to be installed by you"
        return f"MariaDB: {names}, about 60 MB from this system's package archive, {how}"
    (title, package, size), target = _unstable(flavour)
    return (
        f"{title}: {package} and its libraries, {size} from the archive of Debian unstable, "
        f"unpacked into {target}; nothing of it is installed"
    )


def _install_mariadb(progress: Progress) -> None:
    root = _root()
    if root is None or not shutil.which("apt-get"):
        return
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    progress("reading the system's package lists")
    _run([*apt, "update"], must=False)
    progress(f"installing {' and '.join(MARIADB_PACKAGES)}")
    _run([*apt, "install", "-y", "--no-install-recommends", *MARIADB_PACKAGES])


def _root() -> list[str] | None:
    """The words that make a command run as root; None where that would need a password."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=30)
        if allowed.returncode == 0:
            return ["sudo", "-n"]
    return None


def _unstable(flavour: str) -> tuple[tuple[str, str, str], Path]:
    """What Debian unstable has of it (name, package, size), and the folder for it."""
    return (MARIADB, unpacked_mariadb()) if flavour == "mariadb" else (MYSQL, unpacked_mysql())


def _unpack_server(flavour: str, progress: Progress) -> None:
    if not can_unpack():
        raise ServerMissing(
            f"No {flavour} server program found, and it can be downloaded on Debian only. "
            f"{BY_HAND[flavour]}"
        )
    (_, package, size), target = _unstable(flavour)
    unpack(package, size, target, progress)


def can_unpack() -> bool:
    """Whether packages of Debian's unstable suite can be had and unpacked here."""
    tools = shutil.which("apt-get") and shutil.which("dpkg")
    return bool(debian_mirror() and KEYRING.exists() and tools)


def unpack(package: str, size: str, target: Path, progress: Progress) -> None:
    """Unpack a package of Debian's unstable suite, with all its libraries, into a folder."""
    with _only_one_of_us(target), tempfile.TemporaryDirectory(dir=target.parent) as folder:
        if target.exists():
            return
        work = Path(folder)
        apt = _private_apt(work, debian_mirror() or "")
        progress("reading the package list of Debian unstable")
        _run([*apt, "update"])
        progress(f"downloading {package} and its libraries ({size})")
        _run([*apt, "install", "-y", "--download-only", package])
        packages = sorted((work / "cache/archives").glob("*.deb"))
        progress(f"unpacking {len(packages)} packages")
        for archive in packages:
            _run(["dpkg", "-x", str(archive), str(work / "root")])
        (work / "root").rename(target)


@contextmanager
def _only_one_of_us(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def debian_mirror(etc: Path = Path("/etc/apt")) -> str | None:
    """The address this Debian system takes its own packages from; None if it is no Debian."""
    for source in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if source.suffix in {".list", ".sources"} and source.is_file():
            for address in _addresses(source):
                # The security archive and other vendors' archives carry no unstable suite.
                if address.rstrip("/").endswith("/debian"):
                    return address
    return None


def _addresses(source: Path) -> list[str]:
    text = source.read_text(errors="replace")
    if source.suffix == ".list":
        return re.findall(r"^\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)", text, re.MULTILINE)
    lines = re.findall(r"^URIs:(.*(?:\n[ \t].*)*)", text, re.MULTILINE | re.IGNORECASE)
    return [address for line in lines for address in line.split()]


def _private_apt(work: Path, mirror: str) -> list[str]:
    for folder in ("state/lists/partial", "cache/archives/partial", "sources"):
        (work / folder).mkdir(parents=True)
    # No package counts as installed, so that every library comes along, the C library too.
    (work / "state/status").touch()
    (work / "sources/unstable.sources").write_text(
        f"Types: deb\nURIs: {mirror}\nSuites: unstable\nComponents: main\nSigned-By: {KEYRING}\n"
    )
    settings = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "state/status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": work / "sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "APT::Install-Recommends": "false",
        # The download user may not write to a private folder.
        "APT::Sandbox::User": "root",
        # Hooks of this system are about its own apt state.
        "APT::Update::Post-Invoke": "",
        "Debug::NoLocking": "true",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return ["apt-get", "-q", *options]


def _run(words: list[str], must: bool = True) -> None:
    answer = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=APT_TIMEOUT,
    )
    if must and answer.returncode:
        print(answer.stdout[-2000:], file=sys.stderr)
        raise ServerMissing(
            f"The command ended with {answer.returncode}: {' '.join(words)}. Its output is above."
        )
