"""Reading a configuration file without running it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from django_lifeline.diagnosis.doctor.literals import assignments

CPUS = os.cpu_count() or 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x = 4", 4),
        ("x: int = 4", 4),
        ("x = y = 4", 4),
        ("x = 2 * 3 + 1 - 8 // 2 % 3", 6),
        ("x = 7 / 2", 3.5),
        ("x = -3", -3),
        ("a = 3\nx = a", 3),
        ("x = 1\nx = 2", 2),
        ("import os\nx = os.cpu_count()", CPUS),
        ("import multiprocessing\nx = multiprocessing.cpu_count() * 2", CPUS * 2),
        ("x = int('5')", 5),
        ("x = max(2, min(9, 4))", 4),
        ("x = round(2.6)", 3),
        ("x = bool(1) and 8", 8),
        ("x = 0 or None or 7", 7),
        ("x = os.environ.get('NO_SUCH_NAME', 6)", 6),
        ("x = int(os.environ.get('NO_SUCH_NAME') or 6)", 6),
        ("x = os.getenv('NO_SUCH_NAME', '6')", "6"),
        ("x = os.environ['A_NAME']", "12"),
        ("conf.x = 5", 5),
        ("conf.update(x=5)", 5),
    ],
)
def test_simple_value_is_read(monkeypatch: pytest.MonkeyPatch, text: str, value: Any) -> None:
    monkeypatch.setenv("A_NAME", "12")
    monkeypatch.delenv("NO_SUCH_NAME", raising=False)
    values, unread = assignments(text)
    assert values["x"] == value
    assert unread == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = unknown", "uses unknown"),
        ("x = compute()", "calls compute"),
        ("x = int('5', base=6)", "calls int with keywords"),
        ("x = int('five')", "cannot be worked out"),
        ("x = 1 / 0", "cannot be worked out"),
        ("x = 2 ** 99999999", "more than simple arithmetic"),
        ("x = 'a' * 999999999999", "not a number"),
        ("x = [n for n in range(9)]", "more than a simple expression"),
        ("x = os.environ['NO_SUCH_NAME']", "NO_SUCH_NAME is not set"),
        ("x = os.environ.get('NO_SUCH_NAME')", "environment variable is not set"),
        ("if True:\n    x = 1", "inside a block"),
        ("x = 1\ntry:\n    x = 2\nexcept E:\n    pass", "inside a block"),
    ],
)
def test_other_value_is_left_unread_and_said_so(text: str, why: str) -> None:
    values, unread = assignments(text)
    assert "x" not in values
    assert why in unread["x"].told(str)


def test_later_simple_value_replaces_an_unread_one() -> None:
    assert assignments("x = pick()\nx = 3") == ({"x": 3}, {})
