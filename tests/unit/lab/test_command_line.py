"""The command line: what it takes, and what it says to a mistake."""

from __future__ import annotations

import argparse
import io
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.unit.lab.fakes import result, scenario

from lifeline_lab import __main__ as command
from lifeline_lab.admin import Login
from lifeline_lab.judges import Kind
from lifeline_lab.terminal import Terminal
from lifeline_lab.yours import YourServer, from_dsn, from_settings


def chosen(*words: str) -> argparse.Namespace:
    return command.parser().parse_args(words)


@pytest.fixture(autouse=True)
def _all_servers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_why_no_server", lambda flavour: "")


ROOT = Path(__file__).parents[3]
YOURS = YourServer(Login("me", "secret", "127.0.0.1"), "mine")


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["--scenario", "scheduler-tread"], "scheduler-thread"),
        (["--arm", "lifelin"], "lifeline"),
        (["--driver", "mysqldb"], "pymysql"),
        (["--server", "maria"], "mariadb"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest(
    words: list[str], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    assert f"Did you mean {nearest!r}?" in capsys.readouterr().err


def test_names_may_be_repeated_and_separated_by_commas() -> None:
    words = ("--scenario", "rpc-loop,kill-between", "--scenario", "rpc-loop", "--arm", "stock")

    selection = command.select(chosen(*words), None)

    assert [each.name for each in selection.scenarios] == ["rpc-loop", "kill-between"]
    assert selection.arms == ("stock",)


def test_without_names_all_is_chosen() -> None:
    selection = command.select(chosen(), None)

    assert len(selection.scenarios) == len(command.all_scenarios())
    assert selection.servers == ("mariadb", "mysql")
    assert selection.arms[-1] == "lifeline"


def test_quick_chooses_the_short_set() -> None:
    selection = command.select(chosen("--quick"), None)

    assert 0 < len(selection.scenarios) < len(command.all_scenarios())
    assert all(each.quick for each in selection.scenarios)


def test_missing_server_is_skipped_visibly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(
        command, "_why_no_server", lambda name: "no mysql here" if name == "mysql" else ""
    )

    assert command.select(chosen(), None).servers == ("mariadb",)
    assert "skipped: no mysql here" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "ci"), [([], "1"), (["--server", "mysql"], "")])
def test_missing_server_is_an_error_in_ci_and_when_asked_for(
    words: list[str], ci: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(command, "_why_no_server", lambda name: "no server here")

    with pytest.raises(command.UsageError, match="no server here"):
        command.select(chosen(*words), None)


def test_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(command.all_scenarios())


@pytest.mark.parametrize("word", ["--list", "--help"])
def test_what_there_is_is_told_by_the_script_where_nothing_is_installed(
    word: str, tmp_path: Path
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # -S: no packages
    bare.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "lab", word],
        env={"PATH": os.environ["PATH"], "VENV": str(tmp_path / "venv"), "PYTHON": str(bare)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert ("rpc-loop" if word == "--list" else "--scenario") in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == [bare]


def test_set_up_says_first_what_it_will_fetch_and_from_where(tmp_path: Path) -> None:
    stub = tmp_path / "venv" / "bin" / "python"  # all that set-up calls succeeds and does nothing
    stub.parent.mkdir(parents=True)
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "setup"],
        env={
            "PATH": os.environ["PATH"],
            "VENV": str(stub.parents[1]),
            "PYTHON": sys.executable,
            "XDG_CACHE_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told, _, steps = done.stderr.partition("[1/5]")
    assert "from your pip index (PyPI" in told and str(stub.parents[1]) in told
    assert "package archive" in told
    assert "[2/5]" in steps


def test_a_server_that_cannot_be_reached_is_told_once_and_the_last_report_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "index.html"
    report.write_text("the last good one")
    with socket.socket() as unheard:  # bound, but nobody listens
        unheard.bind(("127.0.0.1", 0))
        dsn = f"mysql://me:secret@127.0.0.1:{unheard.getsockname()[1]}/shop"
        assert command.main(["--dsn", dsn, "--html", str(report)]) == 2

    told = capsys.readouterr()
    assert told.err.count("refused") == 1 and "secret" not in told.err
    assert told.out == ""
    assert report.read_text() == "the last good one"


def test_a_run_in_which_nothing_could_be_run_keeps_the_last_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "index.html"
    report.write_text("the last good one")
    monkeypatch.setattr(command, "run", lambda *_, **__: [result("lifeline", Kind.LAB_ERROR)])

    assert command.main(["--html", str(report)]) == 1
    assert report.read_text() == "the last good one"
    assert "kept" in capsys.readouterr().out


def test_users_own_server_gets_gentle_scenarios_only() -> None:
    selection = command.select(chosen(), YOURS)

    assert selection.servers == ("yours",)
    assert selection.scenarios
    assert all(each.gentle for each in selection.scenarios)


def test_scenario_that_restarts_a_server_is_refused_on_a_users_own() -> None:
    with pytest.raises(command.UsageError, match="server-restart"):
        command.select(chosen("--scenario", "server-restart"), YOURS)


def test_dsn_is_taken_apart() -> None:
    yours = from_dsn("mysql://me:p%40ss@db.example:3307/shop")

    assert yours.database == "shop"
    assert yours.login == Login("me", "p@ss", "db.example", 3307)
    assert "p@ss" not in repr(yours)


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://me:secret@host",
        "postgres://me:secret@host/db",
        "mysql://me:secret@host:port/db",
        "mysql://me:secret@host/d`b",
        "secret",
    ],
)
def test_dsn_that_cannot_be_read_is_refused_without_showing_the_password(
    dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--dsn", dsn]) == 2
    assert "secret" not in capsys.readouterr().err


def test_entry_of_a_users_settings_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("their_settings")
    entry = {"HOST": "localhost", "USER": "me", "PASSWORD": "secret", "NAME": "shop"}
    vars(module)["DATABASES"] = {"replica": entry}
    monkeypatch.setitem(sys.modules, "their_settings", module)

    yours = from_settings("their_settings:replica")

    assert yours.login == Login("me", "secret", "127.0.0.1", 3306)
    with pytest.raises(ValueError, match="default"):
        from_settings("their_settings")


def test_group_is_printed_when_its_last_arm_has_ended() -> None:
    broken = result("stock", Kind.BROKEN, "2006")
    survived = result("lifeline", Kind.SURVIVED)
    out = io.StringIO()
    terminal = Terminal([broken.cell, survived.cell], ("stock", "lifeline"), out)

    terminal.heard(survived)
    assert out.getvalue() == ""
    terminal.heard(broken)

    assert out.getvalue().split() == ["fake", "mariadb", "mysqlclient", "2006", "survived"]


def test_summary_names_what_proves_nothing() -> None:
    out = io.StringIO()
    results = [result("stock", Kind.SURVIVED), result("lifeline", Kind.SURVIVED)]

    Terminal([each.cell for each in results], ("stock",), out).summary(results)

    assert "proves nothing: fake, mariadb, mysqlclient, stock" in out.getvalue()
    assert "django-lifeline survived 1 of 1." in out.getvalue()


@pytest.mark.parametrize(("kind", "status"), [(Kind.SURVIVED, 0), (Kind.BROKEN, 1)])
def test_exit_status_follows_our_arm(
    kind: Kind, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = [result("lifeline", kind, of=scenario(must_break=()))]
    monkeypatch.setattr(command, "run", lambda *_, **__: found)
    report = tmp_path / "deep" / "index.html"

    assert command.main(["--html", str(report), "--json", str(tmp_path / "r.json")]) == status
    assert report.exists()
    assert (tmp_path / "r.json").exists()


def test_interruption_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", interrupted)

    assert command.main([]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_bar_names_what_runs_and_for_how_long() -> None:
    pytest.importorskip("rich")
    of = scenario("rpc-loop")
    results = [result(arm, Kind.SURVIVED, "0 errors", of=of) for arm in ("stock", "lifeline")]
    cells = [each.cell for each in results]
    out = _Screen()
    terminal = Terminal(cells, ("stock", "lifeline"), out)
    with terminal.running():
        for cell in cells:
            terminal.begins(cell)
        live = terminal._live
        assert live is not None
        assert live.progress.tasks[0].description == "rpc-loop (stock, lifeline)"
        terminal.heard(results[0])
        assert live.progress.tasks[0].description == "rpc-loop (lifeline)"
        terminal.heard(results[1])
        assert live.progress.finished
    assert "left" in out.getvalue()


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True
