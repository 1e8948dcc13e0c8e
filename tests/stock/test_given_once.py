"""Nothing is repeated with what is left of what was given: no row comes twice, none is missed."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both

pytestmark = [pytest.mark.timeout(240), pytest.mark.fault]


def test_file_that_was_sent_in_part_is_not_sent_again(both: Both) -> None:
    pair = both("given_once", timeout=200)
    for name in ("file, InnoDB", "file, MyISAM", "pipe, InnoDB", "pipe, MyISAM"):
        assert pair[name].stock == [True, True, True, 0]
        assert (name, pair[name].ours) == (name, [True, True, True, 0])


def test_rows_of_a_generator_are_stored_all_or_none(both: Both) -> None:
    """The old session's limit is told; the next piece of work has the new one."""
    told, as_told, later, stored_later = both("given_once", timeout=200)["batch"].ours
    assert (as_told, later, stored_later) == (True, None, 5)
    assert told in (True, False)
