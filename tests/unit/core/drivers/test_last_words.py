"""The server's last words to a connection that is not open yet."""

from __future__ import annotations

import pytest

from django_lifeline.core.classification import LAST_WORDS
from django_lifeline.core.drivers.base import Guarded


@pytest.mark.parametrize("number", sorted(LAST_WORDS))
def test_last_words_to_one_that_is_being_opened_are_meant(number: int) -> None:
    """There is no socket yet to look at, and nothing that could be lost with it."""
    assert not Guarded()._lives_on(Exception(number, "That is all."))
