"""What stands of a transaction's writes, against a list that is copied at each savepoint."""

from __future__ import annotations

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


def as_the_server_does(steps: list[tuple[str, str]]) -> list[str]:
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
    return [name for name, count in levels if count]


@given(STEPS)
def test_writes_stand_where_the_server_has_them(steps: list[tuple[str, str]]) -> None:
    standing = Standing()
    for kind, name in steps:
        if kind == "WRITE":
            standing.writes += 1
        else:
            standing.cross(kind, SQL[kind].format(name.upper() if kind == "RELEASE" else name))
    assert standing.since() == as_the_server_does(steps)


def test_next_transaction_begins_with_nothing() -> None:
    standing = Standing()
    standing.cross("SAVEPOINT", "SAVEPOINT a")
    standing.writes = 2
    standing.begin()
    assert (standing.writes, standing.marks, standing.since()) == (0, {}, [])
