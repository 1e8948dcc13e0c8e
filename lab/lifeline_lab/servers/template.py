"""Prepares a data folder once per version, and copies it for every server that starts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from lifeline_lab.servers.installation import (
    Installation,
    ServerFailed,
    cache_folder,
)

# Before the files of statements, as mariadb-install-db says it: root needs no password.
IN_THE_SYSTEMS_DATABASE = """\
CREATE DATABASE IF NOT EXISTS mysql;
USE mysql;
SET @auth_root_socket = NULL;
"""


def copy_data_folder(installation: Installation, target: Path) -> None:
    """Fill ``target`` with the files of a new, empty server."""
    template = cache_folder() / "data" / installation.folder_name
    if not template.exists():
        _make(installation, template)
    shutil.copytree(template, target)


def _make(installation: Installation, template: Path) -> None:
    template.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="making-", dir=template.parent))
    try:
        data, temporary = work / "data", work / "tmp"
        temporary.mkdir()
        words = [*installation.initialise, f"--datadir={data}", f"--tmpdir={temporary}"]
        if installation.tables:
            data.mkdir()
        answer = subprocess.run(
            words,
            input=_statements(installation.tables),
            capture_output=True,
            text=True,
            timeout=120,
            cwd=work,
        )
        if answer.returncode:
            raise ServerFailed(
                f"{' '.join(words)} ended with {answer.returncode}:\n"
                f"{answer.stdout[-2000:]}{answer.stderr[-2000:]}"
            )
        # The server of this copy must find a name of its own.
        (data / "auto.cnf").unlink(missing_ok=True)
        _publish(data, template)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _statements(files: tuple[Path, ...]) -> str:
    if not files:
        return ""
    return IN_THE_SYSTEMS_DATABASE + "".join(file.read_text() for file in files)


def _publish(data: Path, template: Path) -> None:
    try:
        data.rename(template)
    except OSError:
        # Another process made the same template meanwhile; both are equally good.
        if not template.exists():
            raise
