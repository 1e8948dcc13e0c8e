"""What stands of a transaction's writes, against a list that is copied at each savepoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_lifeline.core.standing import Standing

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.just(("WRITE", "")),
        st.tuples(st.sampled_from(["SAVEPOINT", "RELEASE", "ROLLBACK"]), NAMES),
    ),
    max_size=20,
)
SQL = {
    "SAVEPOINT": "SAVEPOINT `{}`",
    "RELEASE": "RELEASE SAVEPOINT {};",
    "ROLLBACK": "ROLLBACK TO SAVEPOINT `{}`",
}


def as_the_server_does(steps: list[tuple[str, str]]) -> list[tuple[str, int]]:
    """The savepoints that are set, each with what is written up to the next; the rest is gone."""
    levels: list[tuple[str, int]] = [("", 0)]
    for kind, name in steps:
        at = next((n for n, (each, _) in enumerate(levels) if each == name and n), None)
        if kind == "WRITE":
            levels[-1] = (levels[-1][0], levels[-1][1] + 1)
        elif kind == "SAVEPOINT":
            if at is not None:
                moved = levels.pop(at)[1]
                levels[at - 1] = (levels[at - 1][0], levels[at - 1][1] + moved)
            levels.append((name, 0))
        elif at is not None and kind == "RELEASE":
            moved = sum(count for _, count in levels[at:])
            del levels[at:]
            levels[-1] = (levels[-1][0], levels[-1][1] + moved)
        elif at is not None:
            del levels[at + 1 :]
            levels[at] = (name, 0)
    return levels


@given(STEPS, st.sets(NAMES))
def test_writes_stand_where_the_server_has_them(
    steps: list[tuple[str, str]], blocks: set[str]
) -> None:
    standing = Standing()
    for kind, name in steps:
        if kind == "WRITE":
            standing.writes += 1
        else:
            standing.cross(SQL[kind].format(name.upper() if kind == "RELEASE" else name))
    levels = as_the_server_does(steps)
    assert standing.since(standing.marks) == {name for name, count in levels if count}
    merged, latest = set(), ""
    for name, count in levels:
        latest = name if name in blocks else latest
        merged |= {latest} if count else set()
    assert standing.since(blocks) == merged


def test_next_transaction_begins_with_nothing() -> None:
    standing = Standing()
    standing.cross("SAVEPOINT a")
    standing.writes = 2
    standing.begin()
    assert (standing.writes, standing.marks, standing.since([])) == (0, {}, set())


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SAVEPOINT `s140_x1`", "s140_x1"),
        ("savepoint S1 /* app='a', route='x y' */", "s1"),
        ("/* SAVEPOINT x */ SAVEPOINT `a b`;", "a b"),
        ("-- trace\nSAVEPOINT a -- trace=1", "a"),
        ("SAVEPOINT/**/a/**/", "a"),
        ('SAVEPOINT "a"', "a"),
        ("SAVEPOINT to", "to"),
    ],
)
def test_name_is_read_whatever_stands_around_it(sql: str, name: str) -> None:
    standing = Standing()
    standing.cross(sql)
    assert list(standing.marks) == [name]


@pytest.mark.parametrize(
    "sql",
    [
        "ROLLBACK TO a",
        "rollback work to savepoint a",
        "ROLLBACK /* x */ TO\nSAVEPOINT `A` /* TO b */;",
        "RELEASE SAVEPOINT a # x",
    ],
)
def test_way_back_is_read_whatever_stands_around_it(sql: str) -> None:
    standing = Standing()
    for each in ("SAVEPOINT a", "SAVEPOINT b"):
        standing.cross(each)
    standing.cross(sql)
    assert list(standing.marks) == ([] if "RELEASE" in sql else ["a"])


def test_rollback_of_all_is_no_way_back() -> None:
    standing = Standing()
    standing.cross("SAVEPOINT a")
    for sql in ("ROLLBACK", "ROLLBACK WORK", "ROLLBACK AND CHAIN"):
        standing.cross(sql)
    assert list(standing.marks) == ["a"]
