"""Where a driver's error becomes Django's, it gets its diagnosis as well."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from types import TracebackType
from typing import Any

from django.db import Error
from django.db.utils import DatabaseErrorWrapper

from django_lifeline.backends.notices import Refused, publish
from django_lifeline.core.classification import CR_CONNECTION_ERROR
from django_lifeline.core.pool import PoolStats
from django_lifeline.diagnosis.facts import RefusalFacts
from django_lifeline.diagnosis.loss import diagnose_refusal
from django_lifeline.diagnosis.model import Diagnosis
from django_lifeline.diagnosis.reach import number_in
from django_lifeline.diagnosis.refusals import REFUSED_STATEMENTS
from django_lifeline.exceptions import LifelineError, PacketTooLarge, PoolQueueFull, PoolTimeout


def attach(error: BaseException, diagnosis: Diagnosis) -> None:
    """Give *error* its ``diagnosis``, and the note that people read below a traceback."""
    if getattr(error, "diagnosis", None) is None:
        error.diagnosis = diagnosis  # type: ignore[attr-defined]
        error.add_note(diagnosis.note())


def driver_cause(error: BaseException | None) -> str:
    """Return what of the system's is behind a driver's error; empty for none.

    The class, or the error's own name where TCP gave up: Python has one class for that and for a
    timeout of its own.

    Only one that passed through the driver: what the application was handling at that time is
    chained to the error as well.
    """
    below = None if error is None else error.__cause__ or error.__context__
    if not isinstance(below, OSError):
        return ""
    trace = below.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("pymysql"):
            return _GAVE_UP.get(below.errno or 0, type(below).__name__)
        trace = trace.tb_next
    return ""


_GAVE_UP = {
    number: errno.errorcode[number]
    for number in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)
}


def explain_refusal(error: Any, place: str, attempts: int, waited: float) -> None:
    """Give the driver's *error* on connecting its diagnosis; Django's takes it over."""
    error.diagnosis = diagnose_refusal(
        RefusalFacts(
            code=number_of(error),
            driver_cause=driver_cause(error),
            system=number_in(str(error.args[-1])) if error.args else 0,
            place=place,
            attempts=attempts,
            waited=waited,
        )
    )


def number_of(error: Any) -> int | None:
    """Return the error's number, or the server's where the driver wraps it in one of its own.

    Libmariadb says 2002 when the server refuses a connection before TLS has begun.
    """
    code = error.args[0] if error.args else None
    if code == CR_CONNECTION_ERROR:
        wrapped = _WRAPPED.search(str(error.args[-1]))
        return int(wrapped[1]) if wrapped else CR_CONNECTION_ERROR
    return code if isinstance(code, int) else None


_WRAPPED = re.compile(r": (1\d{3}) - ")


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's own, with a diagnosis on what leaves it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raise Django's error for the driver's."""
        if kind is None or error is None:
            return
        try:
            super().__exit__(kind, error, trace)
        except Error as converted:
            self._explain(converted, error)
            raise
        if isinstance(error, LifelineError):
            self._explain(error, error)

    def _explain(self, leaving: BaseException, error: BaseException) -> None:
        if getattr(leaving, "diagnosis", None) is not None:
            return
        diagnosis = getattr(error, "diagnosis", None) or self._diagnose(error)
        if diagnosis is not None:
            attach(leaving, diagnosis)
            publish(Refused(self.wrapper.target.name, self.wrapper.alias, diagnosis))

    def _diagnose(self, error: BaseException) -> Diagnosis | None:
        """Diagnose what is known by its number: an empty pool, or a refused statement."""
        if isinstance(error, PoolTimeout | PoolQueueFull):
            return diagnose_refusal(self._of_the_pool(error.args[0]))
        code: Any = error.args[0] if error.args else None
        if isinstance(error, PacketTooLarge):
            facts = RefusalFacts(code=code, size=error.size, limit=error.limit)
        elif code in REFUSED_STATEMENTS:
            facts = RefusalFacts(code=code, takes_writes=getattr(error, "takes_writes", None))
        else:
            return None
        return diagnose_refusal(replace(facts, place=self.wrapper.target.name))

    def _of_the_pool(self, code: int) -> RefusalFacts:
        target = self.wrapper.target
        stats: PoolStats = target.pool.stats()
        shown = ("max_size", "size", "idle", "used", "resting", "waiting", "connecting")
        return RefusalFacts(
            code=code,
            place=target.name,
            last_connect_code=target.connect_error,
            figures=tuple((name, getattr(stats, name)) for name in shown),
        )
