"""What is said, and what is said only once."""

from __future__ import annotations

import pytest

from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.explain import explain


def loss(number: int, code: int, place: str) -> str:
    return (
        f"2026-01-01 10:{number:02}:00,000 ERROR [1] failed\n"
        "Traceback (most recent call last):\n"
        f'  File "/srv/{place}.py", line 1, in f\n'
        f"django.db.utils.OperationalError: ({code}, 'x')\n"
    )


def test_advice_that_groups_share_is_said_once() -> None:
    text = str(explain(loss(1, 1040, "a") + loss(2, 1040, "b")))
    fix = " ".join(CAUSES["too_many_connections"].fix.split())
    assert " ".join(text.split()).count(fix) == 1
    assert "* as in 1" in text
    assert "What: as in 1" in text


def test_advice_that_is_new_is_said_in_its_own_group() -> None:
    text = str(explain(loss(1, 1040, "a") + loss(2, 1203, "b")))
    assert "as in" not in text


@pytest.mark.parametrize(
    "text",
    [
        "MySQL server has gone away after a night, what can we do?",
        "we call close_old_connections() in each job",
        "set global wait_timeout = 28800",
        "Django: the database connection is dropped when idle",
        "数据库长连接第二天就断开了",
    ],
)
def test_text_about_the_subject_without_an_error_points_to_the_doctor(text: str) -> None:
    explanation = explain(text, "en")
    if not explanation.findings:
        assert "django_lifeline doctor" in str(explanation)


@pytest.mark.parametrize("text", ["", "all is well", "the year 2006", "GET /orders 200"])
def test_text_about_something_else_points_nowhere(text: str) -> None:
    assert "doctor" not in str(explain(text))


def test_error_mail_of_django_is_one_loss() -> None:
    frames = '  File "/srv/shop/views.py", line 1, in index\n    x()\n'
    mail = (
        "Subject: [Django] ERROR: Internal Server Error: /orders/\n\n"
        "OperationalError at /orders/\n(2006, 'Server has gone away')\n\n"
        "Request Method: GET\nDjango Version: 5.2\n"
        + "".join(f"line {number} of the page\n" for number in range(40))
        + f"Traceback (most recent call last):\n{frames}\n"
        "The above exception ((2006, 'Server has gone away')) was the direct cause of the "
        f"following exception:\n{frames}\n"
        "Exception Type: OperationalError at /orders/\n"
        "Exception Value: (2006, 'Server has gone away')\n"
    )
    [finding] = explain(mail * 2).findings
    assert finding.group.count == 2
    assert finding.group.place.code == "shop/views.py in index"
