"""The registry of commands, and how a word on the command line becomes one."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest

from django_lifeline import commands
from django_lifeline.commands import COMMANDS, load, main
from django_lifeline.diagnosis.usage import UsageError


@pytest.mark.parametrize("name", COMMANDS)
def test_command_keeps_the_contract(name: str) -> None:
    command = load(name)
    assert command.HELP and command.HELP[-1] != "." and "\n" not in command.HELP
    command.add_arguments(argparse.ArgumentParser())
    assert callable(command.run)


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_all_commands(words: list[str]) -> None:
    out = io.StringIO()
    assert main(words, out) == 0
    for name in COMMANDS:
        assert f"  {name} " in out.getvalue()


def test_unknown_command_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exlain"]) == 2
    assert "Did you mean 'explain'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (UsageError("--dsn is wrong. Write it so."), 2, "error: --dsn is wrong. Write it so.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_command_raises_becomes_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    status: int,
    said: str,
) -> None:
    def run(options: argparse.Namespace, out: TextIO) -> int:
        raise raised

    fake = SimpleNamespace(HELP="Fails.", add_arguments=lambda parser: None, run=run)
    monkeypatch.setitem(sys.modules, "a_fake_command", fake)  # type: ignore[arg-type]
    monkeypatch.setitem(commands.COMMANDS, "fail", "a_fake_command")
    assert main(["fail"], io.StringIO()) == status
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", ["doctor", "status"])
def test_command_without_database_says_how_to_name_one(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django_lifeline", name],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: which database? Give --settings MODULE (or DJANGO_")
    assert "'django_lifeline' in INSTALLED_APPS" in done.stderr
