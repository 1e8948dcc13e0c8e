"""Tracebacks of other tools, in Python's own form."""

from __future__ import annotations

import pytest

from django_lifeline.diagnosis.explain import explain
from django_lifeline.diagnosis.explain.dialects import FRAME, TRACEBACK, plain

GONE = "django.db.utils.OperationalError: (2006, 'Server has gone away')"


@pytest.mark.parametrize(
    ("line", "path", "name"),
    [
        ('  File "/srv/a.py", line 3, in run', "/srv/a.py", "run"),
        ('> File "/srv/a.py", line 3, in run', "/srv/a.py", "run"),
        ("File ~/shop/a.py:12, in Order.total(self)", "~/shop/a.py", "total"),
        ("Cell In[5], line 1", "<ipython>", "<module>"),
        ("Input In [5], in <cell line: 1>()", "<ipython>", "<cell line: 1>"),
        ("/usr/lib/a.py in count(self)", "/usr/lib/a.py", "count"),
        ("<ipython-input-5-0c7c> in <module>", "<ipython-input-5-0c7c>", "<module>"),
        ("│ /srv/a.py:42 in run                │", "/srv/a.py", "run"),
        ("\t/srv/a.py:42:run", "/srv/a.py", "run"),
        (
            "thread_id = MainThread filename = /srv/a.py lineno = 7 function = run line = x",
            "/srv/a.py",
            "run",
        ),
    ],
)
def test_frame_of_each_tool_is_read(line: str, path: str, name: str) -> None:
    found = FRAME.match(plain(line))
    assert found is not None
    assert (found["path"], found["name"].strip()) == (path, name)


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "Traceback:",
        "OperationalError                          Traceback (most recent call last)",
        "Traceback with variables (most recent call last):",
        "╭──────── Traceback (most recent call last) ────────╮",
    ],
)
def test_headline_of_each_tool_is_read(line: str) -> None:
    assert TRACEBACK.search(plain(line)) is not None


@pytest.mark.parametrize(
    "line", ["In the log of 2013/01:30 in France", "see /srv/a.py", "a/b in c", "│ no frame"]
)
def test_other_lines_are_no_frames(line: str) -> None:
    assert FRAME.match(plain(line)) is None


def test_traceback_that_is_indented_as_a_whole_keeps_its_error() -> None:
    text = f'\tTraceback (most recent call last):\n\t  File "/srv/a.py", line 1, in f\n\t{GONE}'
    assert explain(text).findings[0].group.place.code == "srv/a.py in f"


def test_error_with_its_frames_below_is_one_loss_with_the_wrapping_one() -> None:
    frames = (
        '  File "/srv/a.py", line 1, in f\n  File "/x/MySQLdb/connections.py", line 1, in query'
    )
    [finding] = explain(f"{GONE}\n{frames}\n\n{GONE}\n{frames}").findings
    assert (finding.group.count, finding.group.place.code) == (1, "srv/a.py in f")
