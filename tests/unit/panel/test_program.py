"""A process is named by its program, never by arguments that may hold secrets."""

from __future__ import annotations

import pytest

from django_lifeline.panel.processes import program


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/usr/bin/gunicorn", "--bind", "secret"], "gunicorn"),
        (["/lib/celery/__main__.py", "-A", "shop"], "celery"),
        (["manage.py", "runserver", "8000"], "manage.py runserver"),
        (["manage.py", "--password=x"], "manage.py"),
        (["-c"], "-c"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_program_is_named_without_its_arguments(argv: list[str], name: str) -> None:
    assert program(argv) == name
