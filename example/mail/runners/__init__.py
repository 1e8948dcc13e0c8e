"""Three ways to run the same schedule, chosen by ``SCHEDULE_RUNNER``.

None of them mentions connections: no decorator, no ``close_old_connections()``. With the stock
engine that is the mistake of the reports; with django-lifeline it is how it should be.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from autoemail.errors import name_of
from pulse import note

logger = logging.getLogger("mail")


@contextmanager
def guarded() -> Iterator[None]:
    """Log what fails and go on: a scheduler that dies of one error sends no mail at all."""
    try:
        yield
    except Exception as error:
        note("error", who="schedule", error=name_of(error))
        logger.error("The schedule failed: %s", name_of(error))
