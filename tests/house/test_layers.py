"""The layers of ``docs/design.md`` hold, and no modules import one another in a circle."""

from __future__ import annotations

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]


def test_imports_go_downwards_only() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the one before, from one to itself; none if there are none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", ["django_lifeline", "lifeline_lab"])
def test_no_modules_import_one_another_in_a_circle(package: str) -> None:
    # Those inside functions and those for types alone are imports too: what two modules know of
    # each other belongs to the lower one.
    graph = grimp.build_graph(package, exclude_type_checking_imports=False, cache_dir=None)
    imports = {it: set(graph.find_modules_directly_imported_by(it)) for it in graph.modules}
    assert len(imports) > 50
    assert not circle(imports), "\n  imported by ".join(circle(imports))


def test_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}
    assert circle({"a": {"b"}, "b": {"c"}, "d": {"a", "c"}}) == []
