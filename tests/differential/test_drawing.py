"""Drawing programs, printing and reading them, and making them small: no server."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.differential.generation import write_by_seed
from tests.differential.known import parse
from tests.differential.minimise import minimise
from tests.differential.steps import Program, Step, load
from tests.differential.strategies import programs
from tests.differential.structure import situations, tag_of


@given(programs())
@settings(max_examples=60, deadline=None)
def test_drawn_program_is_read_as_it_was_written(program: Program) -> None:
    assert load(program.dump()) == program
    assert tuple(parse(str(step)) for step in program.steps) == program.steps


@given(programs())
@settings(max_examples=60, deadline=None)
def test_no_two_steps_write_the_same_tag(program: Program) -> None:
    tags = [tag for tag in map(tag_of, program.steps) if tag is not None]
    assert max(Counter(tags).values(), default=1) == 1


@given(programs(faults=False))
@settings(max_examples=60, deadline=None)
def test_program_without_faults_has_none_in_flight(program: Program) -> None:
    assert not any(at.in_flight for each in situations(program) for at in each.values())


@pytest.mark.parametrize(("end", "block"), [("end_thread", None), ("close_all", 0)])
def test_block_ends_with_its_thread_and_not_with_its_connection(
    end: str, block: int | None
) -> None:
    steps = tuple(parse(text) for text in ("A.a enter true false", f"A.a {end}", "A.a exists"))
    assert situations(Program(steps))[2]["A"].block == block


def test_same_seed_draws_the_same_program() -> None:
    assert write_by_seed("7/3") == write_by_seed("7/3")
    assert write_by_seed("7/3") != write_by_seed("7/4")


def kinds_drawn(number: int) -> set[str]:
    return {step.kind for each in range(number) for step in write_by_seed(f"1/{each}").steps}


def test_every_kind_of_step_is_drawn_sooner_or_later(actions: set[str]) -> None:
    assert actions - kinds_drawn(1500) == {"restart"}


@pytest.fixture
def actions() -> set[str]:
    """All kinds that the interpreter knows, read from its text: it needs Django set up to run."""
    found = re.compile(r"^@(?:action|stage|fault)\ndef (\w+)", re.MULTILINE)
    folder = Path(__file__).parent / "actions"
    return {name for file in folder.glob("*.py") for name in found.findall(file.read_text())}


def test_minimiser_leaves_only_what_fails() -> None:
    steps = [Step("read") for _ in range(20)]
    steps[4], steps[15] = Step("insert", (10,), "B", "b", 2), Step("kill_all")

    def fails(program: Program) -> bool:
        kinds = [step.kind for step in program.steps]
        return "kill_all" in kinds and "insert" in kinds[: kinds.index("kill_all")]

    small = minimise(Program(tuple(steps), pool=1), fails)
    assert small == Program((Step("insert", (10,)), Step("kill_all")), pool=10)


def test_minimiser_takes_a_block_away_with_both_its_ends() -> None:
    words = ("enter true false", "insert 10", 'leave "ok"')
    program = Program(tuple(parse(f"A.a {word}") for word in words))

    def fails(candidate: Program) -> bool:
        kinds = [step.kind for step in candidate.steps]
        return "insert" in kinds and kinds.count("enter") == kinds.count("leave")

    assert [step.kind for step in minimise(program, fails).steps] == ["insert"]


def test_minimiser_stops_after_so_many_runs() -> None:
    ran: list[Program] = []

    def fails(program: Program) -> bool:
        ran.append(program)
        return True

    minimise(Program(tuple(Step("read") for _ in range(40))), fails, runs=3)
    assert len(ran) == 3
