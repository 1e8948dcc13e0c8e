"""The list of mutants fits the code; ``scripts/mutants`` is what runs them."""

import pytest

from tests.mutants.runner import PACKAGE, ROOT, Mutant, Stale, mutants

MUTANTS = mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_can_be_made_and_is_valid_python(mutant: Mutant) -> None:
    path = ROOT / PACKAGE / mutant.file
    compile(mutant.applied(path.read_text()), str(path), "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_tests_that_shall_kill_it_exist(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text()
        assert f"def {name.partition('[')[0]}(" in text or not name


def test_names_are_unique() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("text", ["", "old old"])
def test_snippet_that_is_not_there_exactly_once_is_stale(text: str) -> None:
    mutant = Mutant("name", "file.py", "It breaks.", "old", "new", ("test.py",))
    with pytest.raises(Stale, match="name"):
        mutant.applied(text)
