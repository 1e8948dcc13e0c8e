"""Runs many cells at once and says, for each group of them, whether it proves anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from lifeline_lab.admin import Login
from lifeline_lab.arms import LIFELINE
from lifeline_lab.cell import Cell, Place, Result, run_cell
from lifeline_lab.judges import Kind, Verdict
from lifeline_lab.scenario import Scenario

Tell = Callable[[Result], None]
Runs = Callable[[Cell, Place, int], Result]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be run."""

    scenarios: tuple[Scenario, ...]
    servers: tuple[str, ...]
    drivers: tuple[str, ...]
    arms: tuple[str, ...]

    def cells(self) -> list[Cell]:
        """Return all cells, those that need a server of their own first: they take longest."""
        found = [
            Cell(scenario, server, driver, arm)
            for scenario in self.scenarios
            for server in self.servers
            for driver in self.drivers
            if driver in scenario.drivers
            for arm in self.arms
        ]
        return sorted(found, key=lambda cell: not cell.scenario.own_server)


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of one scenario on one server with one driver."""

    scenario: Scenario
    server: str
    driver: str
    results: tuple[Result, ...]

    @property
    def unbroken(self) -> tuple[str, ...]:
        """The arms that should have shown the trouble and did not: it proves nothing."""
        return tuple(
            result.cell.arm
            for result in self.results
            if result.cell.must_break and result.verdict.kind is not Kind.BROKEN
        )


@dataclass
class Servers:
    """Starts servers when a cell first needs one; cells with the same needs share one.

    ``lock`` guards both tables. A server is started under its own lock, so that others go on.
    """

    start: Callable[[str, Mapping[str, object]], AbstractContextManager[Place]]
    lock: threading.Lock = field(default_factory=threading.Lock)
    _stack: ExitStack = field(default_factory=ExitStack)
    _places: dict[tuple[object, ...], Place] = field(default_factory=dict)
    _locks: dict[tuple[object, ...], threading.Lock] = field(default_factory=dict)

    @contextmanager
    def place_for(self, cell: Cell) -> Iterator[Place]:
        """Give a cell its server; one of its own is held until the cell has ended."""
        scenario = cell.scenario
        needs = tuple(sorted(scenario.variables.items()))
        key = (cell.server, needs, scenario.own_server)
        with self.lock:
            lock = self._locks.setdefault(key, threading.Lock())
        if scenario.own_server:
            with lock:
                yield self._started(key, cell.server, scenario.variables)
            return
        with lock:
            place = self._started(key, cell.server, scenario.variables)
        yield place

    def _started(
        self, key: tuple[object, ...], flavour: str, variables: Mapping[str, object]
    ) -> Place:
        if key not in self._places:
            starting = self.start(flavour, variables)
            place = starting.__enter__()
            with self.lock:
                self._stack.push(starting)
                self._places[key] = place
        return self._places[key]

    def close(self) -> None:
        """Stop all of them."""
        self._stack.close()


@contextmanager
def lab_server(flavour: str, variables: Mapping[str, object]) -> Iterator[Place]:
    """Start one of the lab's own servers."""
    from lifeline_lab.servers import start

    with start(flavour, variables=variables) as server:
        yield Place(
            flavour,
            admin=Login("root", "", socket=str(server.socket)),
            user=Login(server.user, server.password, server.host, server.port),
            server=server,
        )


def run(
    selection: Selection,
    servers: Servers,
    *,
    jobs: int,
    tell: Tell,
    begins: Callable[[Cell], object] = lambda cell: None,
    run_one: Runs = run_cell,
) -> list[Result]:
    """Run every cell of the selection, ``jobs`` at a time; ``tell`` hears of each as it ends.

    ``begins`` hears of each as it begins, from the thread that runs it.
    """

    def work(number: int, cell: Cell) -> Result:
        begins(cell)
        try:
            with servers.place_for(cell) as place:
                return run_one(cell, place, number)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            return Result(cell, Verdict(Kind.LAB_ERROR, "lab error", why))

    results = []
    try:
        with ThreadPoolExecutor(jobs, thread_name_prefix="cell") as pool:
            waiting = [
                pool.submit(work, number, cell)
                for number, cell in enumerate(selection.cells(), start=1)
            ]
            try:
                for future in as_completed(waiting):
                    results.append(future.result())
                    tell(results[-1])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        servers.close()
    return results


def groups(results: Iterable[Result]) -> list[Group]:
    """Gather the arms of each scenario, server and driver."""
    found: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        cell = result.cell
        found.setdefault((cell.scenario.name, cell.server, cell.driver), []).append(result)
    return [
        Group(some[0].cell.scenario, server, driver, tuple(some))
        for (_, server, driver), some in found.items()
    ]


def succeeded(results: Iterable[Result]) -> bool:
    """Tell whether ours survived everything and every arm that should break did."""
    listed = list(results)
    return bool(listed) and all(result.as_wanted for result in listed)


def any_ran(results: Iterable[Result]) -> bool:
    """Tell whether any cell says something of an arm, and not only of the lab."""
    silent = (Kind.LAB_ERROR, Kind.SKIPPED)
    return any(result.verdict.kind not in silent for result in results)


def ours(results: Iterable[Result]) -> list[Result]:
    """Return the results of the lifeline arm."""
    return [result for result in results if result.cell.arm == LIFELINE.name]
