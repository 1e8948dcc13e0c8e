"""The example's other pure parts: pulse, chart, settings, verdict."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from autoemail.database import database, driver
from launch import brokers
from launch.processes import DidNotStart
from markets.chart import chart, nice_step
from pulse import record
from verdict import Line, judge


def test_pulse_counts_what_happens_and_carries_levels_on(tmp_path: Path) -> None:
    lines = [
        {"at": 99.2, "kind": "connections", "open": 7},
        {"at": 101.1, "kind": "request"},
        {"at": 101.9, "kind": "request"},
        {"at": 102.0, "kind": "error"},
        {"at": 102.5, "kind": "connections", "open": 9},
        {"at": 103.5, "kind": "heal"},
    ]
    series = record.series(lines, now=104.7, seconds=4)
    assert series == {
        "request": [0, 2, 0, 0],
        "error": [0, 0, 1, 0],
        "heal": [0, 0, 0, 1],
        "connections": [7, 7, 9, 9],
    }


def test_pulse_is_read_as_written_and_a_line_cut_by_the_tail_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pulse.jsonl"
    assert record.read(file) == []
    for n in range(10):
        record.append(file, "error", who="schedule", error=f"number {n}")
    assert [line["error"] for line in record.read(file)] == [f"number {n}" for n in range(10)]
    monkeypatch.setattr(record, "TAIL", 150)
    assert [line["error"] for line in record.read(file)] == ["number 9"]


def test_pulse_without_its_folder_fails_nobody(tmp_path: Path) -> None:
    record.append(tmp_path / "gone" / "pulse.jsonl", "request")


def test_schedule_is_well_when_its_last_line_is_a_round() -> None:
    error = {"at": 1.0, "kind": "error", "who": "schedule", "error": "OperationalError 2006"}
    fine = {"at": 2.0, "kind": "round", "who": "schedule"}
    web = {"at": 3.0, "kind": "error", "who": "web"}
    assert record.health([error, fine, web])["ok"]
    assert record.health([fine, error]) == {"ok": False, "error": error["error"], "at": 1.0}
    assert not record.health([])["ok"]


@pytest.mark.parametrize(("least", "step"), [(0.3, 1), (1, 1), (1.2, 2), (34, 50), (51, 100)])
def test_chart_has_steps_that_people_count_in(least: float, step: float) -> None:
    assert nice_step(least) == step


def test_chart_places_prices_between_its_lines() -> None:
    days = [date(2026, 1, 30) + timedelta(days=n) for n in range(4)]
    drawn = chart(days, [100.0, 140.0, 120.0, 180.0])
    assert [label for _, label in drawn.rows] == ["100", "120", "140", "160", "180", "200"]
    assert [label for _, label in drawn.columns] == ["Feb"]
    heights = [y for y, _ in drawn.rows]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > drawn.last[1] > heights[-1]
    assert drawn.last[0] == drawn.right


def test_database_settings_come_from_a_url_and_the_arms_differ_in_engine_only() -> None:
    url = "mysql://me:s%40y@db.example:3307/shop?charset=utf8mb4"
    ours = database({"DATABASE_URL": url})
    stock = database({"DATABASE_URL": url, "LIFELINE_ARM": "stock"})
    assert ours.pop("ENGINE") == "django_lifeline.backends.mysql"
    assert stock.pop("ENGINE") == "django.db.backends.mysql"
    assert ours == stock
    assert ours["PASSWORD"] == "s@y" and ours["PORT"] == 3307 and ours["NAME"] == "shop"
    assert ours["OPTIONS"] == {"charset": "utf8mb4"}


@pytest.mark.parametrize(
    "environ", [{"LIFELINE_ARM": "best"}, {"DATABASE_URL": "postgres://h/n"}, {"DATABASE_URL": ""}]
)
def test_database_settings_that_cannot_be_right_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        database(environ)


def test_driver_is_the_one_asked_for_or_the_first_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert driver({"MYSQL_DRIVER": "pymysql"}) == "pymysql"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert driver({}) == "pymysql"
    with pytest.raises(ValueError, match="mysqlclient, pymysql"):
        driver({"MYSQL_DRIVER": "mariadb"})


@pytest.mark.parametrize(
    ("broker", "package"), [("redis", "redis-server"), ("rabbitmq", "rabbitmq-server")]
)
def test_broker_that_is_not_installed_is_told_with_the_command_that_installs_it(
    broker: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "DEBIAN", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(DidNotStart, match=f"sudo apt-get install {package}$"):
        brokers.BROKERS[broker](tmp_path)


DUE = datetime(2026, 1, 1, 7, tzinfo=UTC)


def line(number: int, state: str, recipient: int | None = None) -> Line:
    return Line((1, DUE, number if recipient is None else recipient), f"<{number}>", state)


def test_verdict_holds_when_each_mail_came_once_or_is_told_as_unknown() -> None:
    lines = [line(1, "sent"), line(2, "unknown"), line(3, "unknown"), line(4, "failed")]
    verdict = judge(lines, ["<1>", "<2>"], [it.key for it in lines])
    assert verdict.held
    assert (verdict.sent, verdict.unknown_and_arrived, verdict.unknown_and_not) == (1, 1, 1)


@pytest.mark.parametrize(
    ("lines", "arrived", "wrong"),
    [
        ([line(1, "sent")], ["<1>", "<1>"], "twice"),
        ([line(1, "unknown")], ["<1>", "<1>"], "twice"),
        ([line(1, "sent")], [], "sent_but_not_arrived"),
        ([line(1, "failed")], ["<1>"], "failed_but_arrived"),
        ([line(1, "sending")], [], "unfinished"),
        ([line(1, "sent"), line(2, "sent", recipient=1)], ["<1>", "<2>"], "queued_twice"),
        ([line(1, "sent")], ["<1>", "<9>"], "strangers"),
        ([line(2, "sent")], ["<2>"], "forgotten"),
    ],
)
def test_verdict_names_what_is_wrong(lines: list[Line], arrived: list[str], wrong: str) -> None:
    verdict = judge(lines, arrived, {line(1, "sent").key})
    assert getattr(verdict, wrong) == 1
    assert not verdict.held
