"""Whatever is in the input: no error, and no more work than in proportion to its length."""

from __future__ import annotations

import io
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_lifeline.diagnosis.explain.explanation import Reader, explain
from django_lifeline.diagnosis.explain.source import LINE_LIMIT, lines_of

PIECES = [
    "Traceback (most recent call last):",
    '  File "/srv/a/b.py", line 1, in c',
    "django.db.utils.OperationalError: (2006, 'MySQL server has gone away')",
    "pymysql.err.InterfaceError: (0, '')",
    "  + Exception Group Traceback (most recent call last):",
    "  | ",
    "    +---------------- 1 ----------------",
    "The above exception was the direct cause of the following exception:",
    "2026-03-01 10:00:00,000 ERROR [7] x",
    "Mar  1 10:00:00 box app[3]: y",
    "web-1  | z",
    '{"message": "Traceback (most recent call last):", "exception": [{"frames": [1]}]}',
    '{"log": "x", "stream": 1, "time": 1e400}',
    "| wait_timeout | 99999999999999999999 |",
    "Aborted connection 1 to db (Got timeout reading communication packets)",
    "Cause: x (killed, certain)",
    "[SQL: UPDATE x]",
    "@9e99 #012 \\n",
    "",
]
LINES = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(max_size=60),
        st.builds("".join, st.tuples(st.sampled_from(PIECES), st.sampled_from(PIECES))),
    ),
    max_size=30,
)
QUICK = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@QUICK
@given(LINES)
def test_any_text_is_explained_without_an_error(lines: list[str]) -> None:
    explanation = explain("\n".join(lines), "zh-hans")
    assert str(explanation)
    assert explanation.as_dict()["groups"] is not None


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(content: bytes) -> None:
    reader = Reader()
    reader.read(lines_of(io.BufferedReader(io.BytesIO(content))))  # type: ignore[arg-type]
    assert reader.explanation() is not None


def calls_for(text: str) -> int:
    """Return how many function calls explaining takes: a measure that no busy machine changes."""
    count = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        explain(text)
    finally:
        sys.setprofile(before)
    return count


def test_work_grows_in_proportion_to_the_input() -> None:
    for piece in PIECES:
        once, often = (calls_for(f"{piece}\n" * count) for count in (100, 1000))
        assert often < 20 * once, piece


def test_long_lines_take_no_more_than_in_proportion() -> None:
    """A pattern that backtracks would not come to an end here."""
    for piece in ("[", "(", "|", "a ", "[1]", "2026-03-01 ", "Error(", '"', "\\n", "File ", "1: "):
        explain(piece * (LINE_LIMIT // len(piece)))
        explain("OperationalError" + piece * (LINE_LIMIT // len(piece)))
