"""Makes a failing program small: leave steps out as long as it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.differential.steps import Program, Step

MOST_RUNS = 400


def minimise(program: Program, fails: Callable[[Program], bool], runs: int = MOST_RUNS) -> Program:
    """Return a small part of *program* for which *fails* is still true.

    Large pieces are left out first, then smaller ones, then what is left is made simpler: fewer
    actors and databases, errors caught at once. It ends when nothing more can go, or after so
    many *runs*.
    """
    left = runs

    def still_fails(candidate: Program) -> bool:
        nonlocal left
        if left <= 0:
            return False
        left -= 1
        return fails(candidate)

    again = True
    while again and left > 0:
        again = False
        for candidates in (_shorter, _simpler):
            smaller = _first_that_fails(program, candidates, still_fails)
            while smaller is not None:
                again = True
                program = smaller
                smaller = _first_that_fails(program, candidates, still_fails)
    return program


def _first_that_fails(
    program: Program,
    candidates: Callable[[Program], Iterator[Program]],
    fails: Callable[[Program], bool],
) -> Program | None:
    return next((candidate for candidate in candidates(program) if fails(candidate)), None)


def _shorter(program: Program) -> Iterator[Program]:
    steps = program.steps
    size = len(steps) // 2
    while size:
        # From the end: the later steps seldom matter for what failed before them.
        for start in range(len(steps) - size, -1, -size):
            yield program.with_steps(steps[:start] + steps[start + size :])
        size //= 2
    yield from _without_block(program)


def _without_block(program: Program) -> Iterator[Program]:
    """Leave out a block's beginning together with its end."""
    for start, step in enumerate(program.steps):
        if step.kind != "enter":
            continue
        for end in range(start + 1, len(program.steps)):
            if program.steps[end].kind == "leave":
                kept = [s for n, s in enumerate(program.steps) if n not in (start, end)]
                yield program.with_steps(kept)


def _simpler(program: Program) -> Iterator[Program]:
    for number, step in enumerate(program.steps):
        for simpler in _simpler_steps(step):
            steps = list(program.steps)
            steps[number] = simpler
            yield program.with_steps(steps)
    if program.pool != 10:
        yield replace(program, pool=10)


def _simpler_steps(step: Step) -> Iterator[Step]:
    if step.leaves:
        yield replace(step, leaves=0)
    if step.db != "a":
        yield replace(step, db="a")
    if step.actor != "A":
        yield replace(step, actor="A")
