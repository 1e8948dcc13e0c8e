"""Runs a transaction again of which nothing is stored. Copy it into your project."""

import functools
import random
import time

from django.db import OperationalError, transaction

from django_lifeline.exceptions import CommitOutcomeUnknown, ConnectionLost

LOCK_WAIT_TIMEOUT, DEADLOCK, RECORD_CHANGED = 1205, 1213, 1020
NOTHING_IS_STORED = ("not_executed", "rolled_back")


def retry_transaction(attempts=3, using=None):
    """Decorate a function that may run twice: it mails nobody and calls no other system."""

    def decorate(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            if transaction.get_connection(using).in_atomic_block:
                # The block round it is lost too, and only whoever began it can run all of it.
                return function(*args, **kwargs)
            for attempt in range(1, attempts + 1):
                try:
                    with transaction.atomic(using=using):
                        return function(*args, **kwargs)
                except OperationalError as error:
                    if attempt == attempts or not _is_undone(error):
                        raise
                time.sleep(random.uniform(0, 0.1 * 2**attempt))

        return run

    return decorate


def _is_undone(error):
    """Whether the error proves that nothing of the transaction is stored."""
    if isinstance(error, CommitOutcomeUnknown):
        return False
    if isinstance(error, ConnectionLost):
        return error.diagnosis.label.value in NOTHING_IS_STORED
    return error.args[0] in (LOCK_WAIT_TIMEOUT, DEADLOCK, RECORD_CHANGED)
