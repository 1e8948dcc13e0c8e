"""Runs one program with Django's own engine and with ours: what the former says is right."""

from __future__ import annotations

import ast
import importlib.util
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import LIFELINE, Runner
from tests.fixtures.servers import missing

from lifeline_lab.servers import Server

PROGRAMS = Path(__file__).parent / "programs"
STOCK = "django.db.backends.mysql"
OWN_OPTIONS = {"pool", "lifeline"}
SEED = int(os.environ.get("LIFELINE_SEED") or 1)
"""Chooses what of a long enumeration runs; failures show it."""
WHOLE = bool(os.environ.get("LIFELINE_WHOLE"))
"""Run the long enumerations whole, which takes about half an hour."""


@dataclass(frozen=True)
class Pair:
    """What a program said with each engine."""

    stock: Any
    ours: Any

    def __getitem__(self, key: str) -> Pair:
        pair = Pair(self.stock[key], self.ours[key])
        for engine, said in vars(pair).items():
            assert "Traceback" not in str(said), f"{key} failed with {engine}:\n{said}"
        return pair


Both = Callable[..., Pair]
Ours = Callable[..., Any]
Say = Callable[..., Any]


@pytest.fixture(scope="session")
def said(
    tmp_path_factory: pytest.TempPathFactory, shared_server: Callable[[str], Server]
) -> Iterator[Say]:
    """What a program says of an engine, a server and a driver; it runs once for all tests."""
    outcomes: dict[tuple[str, ...], Any] = {}
    with ExitStack() as cleanup:
        run = Runner(tmp_path_factory.mktemp("stock"), cleanup)

        def get(name: str, engine: str, server: Server, driver: str, **how: Any) -> Any:
            key = (name, engine, server.flavour, driver, repr(sorted(how.items())))
            if engine == STOCK and "options" in how:
                options = how["options"].items()
                how["options"] = {k: value for k, value in options if k not in OWN_OPTIONS}
            if key not in outcomes:
                outcomes[key] = run(PROGRAMS / f"{name}.py", server, driver, engine=engine, **how)
            return outcomes[key].json

        yield get


@pytest.fixture
def both(said: Say, server: Server, driver: str) -> Both:
    """``both("hooks")``: what the program ``hooks.py`` said with each engine, as a `Pair`."""
    return lambda name, **how: Pair(
        *(said(name, engine, server, driver, **how) for engine in (STOCK, LIFELINE))
    )


@pytest.fixture
def ours(said: Say, server: Server, driver: str) -> Ours:
    """``ours("rotation")``: what that program said with our engine."""
    return lambda name, **how: said(name, LIFELINE, server, driver, **how)


def share(names: list[str], part: float) -> list[str]:
    """A part of an enumeration, chosen by the seed; all of it if that is asked for."""
    if WHOLE:
        return names
    chosen = random.Random(SEED).sample(names, max(1, round(len(names) * part)))
    return [name for name in names if name in chosen]


def pytest_report_header() -> str:
    """How to run the same part again."""
    return f"stock: LIFELINE_SEED={SEED}{' LIFELINE_WHOLE=1' * WHOLE}"


def scenes(program: str, decorator: str = "scene") -> list[str]:
    """The names of a program's scenes, in order, so that each is a test of its own."""
    tree = ast.parse((PROGRAMS / f"{program}.py").read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(each, ast.Name) and each.id == decorator for each in node.decorator_list)
    ]


def scenes_of(program: str, decorator: str = "of") -> list[tuple[str, str]]:
    """The same of scenes that belong to something: what it is, and each one's name."""
    tree = ast.parse((PROGRAMS / f"{program}.py").read_text())
    return [
        (ast.literal_eval(each.args[0]), node.name)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for each in node.decorator_list
        if isinstance(each, ast.Call) and getattr(each.func, "id", None) == decorator
    ]


def compare(pair: Pair, scene: str) -> None:
    """Assert that a scene of a program went as it does with stock."""
    said = pair[scene]
    assert said.ours == said.stock


def needs(module: str, package: str) -> None:
    """Skip, or fail in CI, where a package is not installed."""
    if importlib.util.find_spec(module) is None:
        missing(f"{package} is not installed: pip install {package}")


def differences(pair: Pair) -> dict[str, Any]:
    """Where two dictionaries differ: what stock says and what ours says, by name."""
    absent = "(absent)"
    return {
        name: {"stock": pair.stock.get(name, absent), "ours": pair.ours.get(name, absent)}
        for name in sorted({*pair.stock, *pair.ours})
        if pair.stock.get(name, absent) != pair.ours.get(name, absent)
    }
