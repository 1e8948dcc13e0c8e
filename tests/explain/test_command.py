"""The command as people call it."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from django_lifeline import commands
from django_lifeline.core import classification
from django_lifeline.diagnosis import saying
from django_lifeline.diagnosis.explain import explain, server
from django_lifeline.diagnosis.pages import address

ROOT = Path(__file__).parents[2]
CODES = sorted(
    code
    for name, code in vars(classification).items()
    if name.startswith(("CR_", "ER_", "CLOSED_")) and isinstance(code, int)
)
LOG = "2026-03-01 10:00:00 ERROR OperationalError: (2006, 'MySQL server has gone away')\n"


def call(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    return commands.main(["explain", *words], out), out.getvalue()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "error.log"
    path.write_text(LOG)
    return path


def test_a_log_with_a_loss_is_explained(log: Path) -> None:
    status, said = call(str(log))
    assert status == 0
    assert "2006 CR_SERVER_GONE_ERROR" in said
    assert "Ruled out" not in said
    assert address("causes/idle-timeout") in said


def test_causes_without_a_reason_are_only_named(log: Path) -> None:
    log.write_text("OperationalError: (2006, '')\n")
    assert "Also possible with this number: idle_timeout" in call(str(log))[1]


@pytest.mark.parametrize("code", CODES)
def test_every_number_that_the_engine_knows_is_explained(code: int) -> None:
    status, said = call(str(code))
    assert (status, said.split()[:1]) == (0, [str(code)]), "_MEANINGS in explain/reference.py"


def test_a_log_without_a_loss_ends_with_status_1(log: Path) -> None:
    log.write_text("all is well\n")
    assert call(str(log)) == (1, "No lost connection to MySQL or MariaDB was found in 1 lines.\n")


def test_a_compressed_log_is_explained(log: Path) -> None:
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(LOG.encode()))
    assert call(str(packed))[0] == 0


@pytest.mark.parametrize("terminal", [False, True])
def test_standard_input_is_read_and_asked_for_on_a_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = io.BufferedReader(io.BytesIO(LOG.encode()))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=raw, isatty=lambda: terminal))
    assert call()[0] == 0
    assert ("Ctrl-D" in capsys.readouterr().err) is terminal


def test_a_missing_file_is_told_and_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(str(tmp_path / "none.log"))[0] == 2
    assert "No such file" in capsys.readouterr().err


def test_json_is_complete(log: Path) -> None:
    told = json.loads(call(str(log), "--json")[1])
    (group,) = told["groups"]
    assert group["causes"][0]["cause"] == "idle_timeout"
    assert group["first"] == {"line": 1, "time": "2026-03-01 10:00:00"}


@pytest.mark.parametrize("word", ["2013", "CR_SERVER_LOST", "cr_server_lost"])
def test_a_number_is_explained_by_number_and_by_name(word: str) -> None:
    status, said = call(word)
    assert status == 0
    assert said.startswith("2013 CR_SERVER_LOST")


@pytest.mark.parametrize(
    "number",
    "0 2002 2003 2005 2006 2013 2014 2026 2055 1020 1040 1053 1129 1130 1153 1203 1205 1213 1226 "
    "1290 1836 1927 3169 4031 51901 51902 51903 51904 51910".split(),
)
def test_known_numbers_have_a_name_and_a_meaning(number: str) -> None:
    status, said = call(number, "--json")
    told = json.loads(said)
    assert status == 0
    assert told["name"] not in ("", "unknown")
    assert told["meaning"]


def test_a_cause_is_explained_by_its_name() -> None:
    assert call("idle_timeout")[1].startswith("The server ended an idle session")


def test_an_unknown_number_is_told_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("1234")[0] == 2
    assert "2006" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-hans"),
        ({"LANGUAGE": "en:zh", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN", "LANG": "de_DE"}, "zh-hans"),
    ],
)
def test_language_is_what_the_environment_asks_for(environment: dict[str, str], lang: str) -> None:
    assert saying.preferred_language(environment) == lang


@pytest.mark.parametrize("lang", ["zh", "zh-cn", "zh_CN", "zh-hans", "zh-Hans"])
def test_chinese_output_has_no_english_sentences_left(log: Path, lang: str) -> None:
    said = call(str(log), "--lang", lang)[1]
    assert "服务器结束了空闲的会话" in said
    assert "The " not in said


def test_rule_is_explained_in_chinese() -> None:
    said = call("lifeline.D101", "--lang", "zh")[1]
    assert "持久连接的寿命超过 wait_timeout" in said and "/zh/doctor.html#d101-" in said
    assert "Django keeps" not in said and "Stock engine" not in said


def test_an_unknown_language_is_refused(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call(str(log), "--lang", "tlh")
    assert "'tlh' is neither en nor zh" in capsys.readouterr().err


def test_an_unknown_language_is_refused_in_python() -> None:
    from django_lifeline import explain

    assert explain("", lang="zh").lang == "zh-hans"
    with pytest.raises(ValueError, match="zh-hans"):
        explain("", lang="tlh")


def test_neither_django_nor_a_driver_is_needed() -> None:
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "MySQLdb", "pymysql", "gevent"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from django_lifeline.commands import main
sys.exit(main(["explain", "2013"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "CR_SERVER_LOST" in done.stdout


# --- the live server -------------------------------------------------------------------------


class FakeServer:
    """A driver's module, its connection and its cursor, with the answers of one server."""

    MySQLError = RuntimeError

    def __init__(self, answers: dict[str, dict[str, str]], now: float) -> None:
        self._answers = answers
        self._now = now
        self._rows: list[tuple[Any, ...]] = []
        self.given: dict[str, Any] = {}

    def connect(self, **given: Any) -> FakeServer:
        self.given = given
        return self

    def cursor(self) -> FakeServer:
        return self

    def execute(self, sql: str, names: tuple[str, ...] = ()) -> None:
        kind = next((kind for kind in self._answers if kind in sql), "")
        known = self._answers.get(kind, {})
        self._rows = [(n, v) for n, v in known.items() if n in names] or [(self._now,)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...]:
        return self._rows[0]

    def close(self) -> None:
        self._rows = []


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    known = {"wait_timeout": "28800", "max_allowed_packet": "1073741824", "version": "9"}
    # Two hours before the loss in LOG, seen from an hour after it.
    fake = FakeServer({"VARIABLES": known, "STATUS": {"Uptime": "10800"}}, 1772362800.0)
    monkeypatch.setattr(server, "_driver", lambda: fake)
    return fake


def test_the_servers_variables_rule_the_packet_out(log: Path, live: FakeServer) -> None:
    status, said = call(str(log), "--dsn", "mysql://reader:word@db.example:3307/shop")
    assert status == 0
    assert "1073741824" in said and "28800" in said
    assert live.given["host"] == "db.example" and live.given["port"] == 3307
    assert live.given["connect_timeout"] == live.given["read_timeout"] == server.PATIENCE


def test_a_server_that_was_up_all_the_time_was_not_restarted(log: Path, live: FakeServer) -> None:
    log.write_text(LOG.replace("10:00:00", "10:00:00Z"))
    (group,) = json.loads(call(str(log), "--json", "--dsn", "mysql://db.example/")[1])["groups"]
    assert "server_restarted" in [cause["cause"] for cause in group["ruled_out"]]


def test_a_time_without_zone_does_not_date_the_servers_start(log: Path, live: FakeServer) -> None:
    (group,) = json.loads(call(str(log), "--json", "--dsn", "mysql://db.example/")[1])["groups"]
    assert "server_restarted" not in [cause["cause"] for cause in group["ruled_out"]]


def test_a_wrong_dsn_is_told(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(str(log), "--dsn", "postgres://x")[0] == 2
    assert "mysql://" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["lifeline.D101", "d101", "LIFELINE.D101"])
def test_a_finding_is_explained_by_its_id(word: str) -> None:
    status, said = call(word)
    assert status == 0
    assert said.startswith("lifeline.D101  ")
    assert address("doctor", "d101-") in said


def test_note_of_the_engine_is_not_contradicted() -> None:
    note = (
        'django_lifeline.exceptions.ConnectionLost: (2013, "The connection was lost: Somebody '
        'ended the session with KILL (killed, likely; rolled_back): idle for 0.0 s")\n'
        "Cause: Somebody ended the session with KILL (killed, likely)\n"
        "The work: Nothing of the transaction is stored; run the whole block again. (rolled_back)\n"
        "Evidence: phase=before, idle_seconds=0.0, wait_timeout=28800.0, in_transaction=True\n"
    )
    told = str(explain(note))
    assert "Nothing of the transaction is stored" in told
    assert "may have run" not in told
    assert "wait_timeout" not in told
    undecided = str(explain(note.replace("(killed, likely", "(killed, undecided")))
    assert "wait_timeout is 28800" in undecided
