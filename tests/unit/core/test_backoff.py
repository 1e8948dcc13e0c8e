"""Pauses grow, differ by chance, and end with the patience."""

from django_lifeline.core.backoff import FIRST_PAUSE, LONGEST_PAUSE, Backoff


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(started=0.0, patience=1000.0, chance=lambda: 0.0)
    pauses = [backoff.next_pause(0.0) for _ in range(8)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_chance_takes_up_to_half_of_a_pause():
    assert Backoff(0.0, 10.0, chance=lambda: 1.0).next_pause(0.0) == FIRST_PAUSE / 2


def test_no_attempt_begins_after_the_patience():
    backoff = Backoff(started=100.0, patience=5.0, chance=lambda: 0.0)
    assert backoff.next_pause(105.0 - FIRST_PAUSE) == FIRST_PAUSE
    assert backoff.next_pause(105.0) is None
