"""Looks for the server programs: on the PATH, in the usual folders, and unpacked in the cache.

``LIFELINE_MARIADB=unpacked`` asks for the MariaDB that is unpacked there (`install` fetches it from
Debian unstable), though an older one may be installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lifeline_lab.servers.installation import (
    FLAVOURS,
    Installation,
    ServerMissing,
    cache_folder,
    run_as,
)

# Servers are often installed where only root's PATH looks.
USUAL_FOLDERS = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/bin")
INSTALL = "python -m lifeline_lab.servers install"
CHOICE = "LIFELINE_MARIADB"
# What mariadb-install-db feeds to the server that makes a data folder, in its order.
MARIADB_TABLES = (
    "mariadb_system_tables",
    "mariadb_performance_tables",
    "mariadb_system_tables_data",
    "fill_help_tables",
    "maria_add_gis_sp_bootstrap",
    "mariadb_sys_schema",
)
MARIADB_PACKAGES = {
    "apt-get": (
        "sudo apt-get update && sudo apt-get install mariadb-server-core mariadb-client-core"
    ),
    "dnf": "sudo dnf install mariadb-server",
    "apk": "sudo apk add mariadb",
    "brew": "brew install mariadb",
}
MYSQL_PACKAGES = {
    "apt-get": f"{INSTALL} mysql",
    "dnf": "sudo dnf install community-mysql-server",
    "brew": "brew install mysql",
}


def find(flavour: str) -> Installation:
    """Return the server program of this flavour; raise `ServerMissing` if there is none."""
    if flavour not in FLAVOURS:
        raise ValueError(f"There is no server flavour {flavour!r}; choose one of {FLAVOURS}.")
    found = _mariadb() if flavour == "mariadb" else _mysql()
    if found is None:
        raise ServerMissing(f"No {flavour} server program found. To install it: {fix(flavour)}")
    return found


def fix(flavour: str) -> str:
    """The command that installs this server here."""
    if flavour == "mariadb" and wants_unpacked_mariadb():
        return f"{CHOICE}=unpacked {INSTALL} mariadb"
    commands = MARIADB_PACKAGES if flavour == "mariadb" else MYSQL_PACKAGES
    for tool, command in commands.items():
        if shutil.which(tool):
            return command
    return f"install {flavour} with this system's package manager, so that its server is on PATH"


def unpacked_mysql() -> Path:
    """The folder into which the downloaded MySQL is unpacked."""
    return cache_folder() / "mysql-unpacked"


def unpacked_mariadb() -> Path:
    """The folder into which the downloaded MariaDB is unpacked."""
    return cache_folder() / "mariadb-unpacked"


def wants_unpacked_mariadb() -> bool:
    """Whether the environment asks for the unpacked MariaDB, not the installed one."""
    chosen = os.environ.get(CHOICE, "installed")
    if chosen not in ("installed", "unpacked"):
        raise ValueError(f"{CHOICE} is {chosen!r}; it can be 'installed' or 'unpacked'.")
    return chosen == "unpacked"


def _mariadb() -> Installation | None:
    if wants_unpacked_mariadb():
        return _mariadb_in(unpacked_mariadb())
    program = on_path("mariadbd") or on_path("mysqld")
    initialise = on_path("mariadb-install-db") or on_path("mysql_install_db")
    # Debian packages it with the client; without it no data folder can be made.
    asked_by_it = on_path("my_print_defaults")
    version = _version((program,)) if program else ""
    if not (program and initialise and asked_by_it and "MariaDB" in version):
        return None
    return Installation(
        flavour="mariadb",
        version=version,
        program=(program,),
        initialise=(
            initialise,
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=8M",
            *run_as(),
        ),
    )


def _mariadb_in(root: Path) -> Installation | None:
    """A MariaDB that was unpacked; its own script for data folders would ask for installed ones."""
    program = unpacked_program(root, "usr/sbin/mariadbd", "usr/lib/mysql")
    if program is None:
        return None
    arguments = (
        f"--basedir={root}/usr",
        f"--plugin-dir={root}/usr/lib/mysql/plugin",
    )
    return Installation(
        flavour="mariadb",
        version=_version(program),
        program=program,
        arguments=arguments,
        initialise=(
            *(*program, "--no-defaults", "--bootstrap", *arguments),
            *("--enforce-storage-engine=", "--innodb-log-file-size=8M", *run_as()),
        ),
        tables=tuple(root / "usr/share/mariadb" / f"{name}.sql" for name in MARIADB_TABLES),
    )


def _mysql() -> Installation | None:
    program = on_path("mysqld")
    if program and "MariaDB" not in (version := _version((program,))):
        return _mysql_installation((program,), version, ())
    return _mysql_in(unpacked_mysql())


def _mysql_in(root: Path) -> Installation | None:
    """A MySQL that was unpacked, not installed: it runs on the C library unpacked with it."""
    program = unpacked_program(root, "usr/sbin/mysqld", "usr/lib/mysql")
    if program is None:
        return None
    arguments = (
        f"--basedir={root}/usr",
        f"--lc-messages-dir={root}/usr/share/mysql",
        f"--plugin-dir={root}/usr/lib/mysql/plugin",
    )
    return _mysql_installation(program, _version(program), arguments)


def unpacked_program(root: Path, name: str, libraries: str) -> tuple[str, ...] | None:
    """The words that run an unpacked program with the C library and the libraries beside it."""
    program = root / name
    loader = next(root.glob("usr/lib*/ld-linux*.so*"), None)
    loader = loader or next(root.glob("usr/lib/*/ld-linux*.so*"), None)
    if not program.exists() or loader is None:
        return None
    folders = [root / "usr/lib", *(root / "usr/lib").glob("*-linux-gnu*"), root / libraries]
    return (str(loader), "--library-path", ":".join(map(str, folders)), str(program))


def on_path(name: str) -> str | None:
    """Where a program is, on the PATH or in the folders where servers are installed."""
    places = os.environ.get("PATH", "").split(os.pathsep) + list(USUAL_FOLDERS)
    return shutil.which(name, path=os.pathsep.join(places))


def _mysql_installation(
    program: tuple[str, ...], version: str, arguments: tuple[str, ...]
) -> Installation:
    # secure-file-priv is compiled in as a folder that a private server has no right to.
    arguments = (*arguments, "--secure-file-priv=", "--mysqlx=OFF")
    initialise = (
        *(*program, "--no-defaults", "--initialize-insecure", *arguments),
        *("--innodb-redo-log-capacity=8M", *run_as()),
    )
    return Installation("mysql", version, program, arguments, initialise)


def _version(program: tuple[str, ...]) -> str:
    answer = subprocess.run(
        [*program, "--no-defaults", "--version"], capture_output=True, text=True, timeout=30
    )
    match = re.search(r"Ver\s+(\S+)", answer.stdout)
    if match is None:
        return ""
    version = match[1]
    # Without the distribution's own suffix.
    number = version.split("-")[0]
    return f"{number}-MariaDB" if "MariaDB" in version else number
