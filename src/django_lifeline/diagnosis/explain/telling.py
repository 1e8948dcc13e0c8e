"""Says what happened at a place, and what became of the work."""

from __future__ import annotations

from django_lifeline.core import classification as codes
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.explain import ours
from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.signs import PROXYSQL
from django_lifeline.diagnosis.explain.stack import Context, Step
from django_lifeline.diagnosis.text import N_

STEPS = {
    Step.CONNECT: N_("connecting"),
    Step.BEGIN: N_("the beginning of a transaction (atomic)"),
    Step.AFTER_COMMIT: N_("the end of a transaction, after COMMIT was answered"),
    Step.COMMIT: N_("COMMIT"),
    Step.ROLLBACK: N_("ROLLBACK"),
    Step.SAVEPOINT: N_("a savepoint inside a transaction"),
    Step.PING: N_("a check whether the connection lives"),
    Step.FETCH: N_("reading the rows of a result"),
    Step.BULK: N_("a statement with many rows"),
    Step.WRITE: N_("a write"),
    Step.READ: N_("a read"),
    Step.STATEMENT: N_("a statement"),
}
CONTEXTS = {
    Context.WEB: N_("a web request"),
    Context.TEST: N_("a test run"),
    Context.CELERY: N_("a Celery task"),
    Context.APSCHEDULER: N_("an APScheduler job"),
    Context.RPC: N_("an RPC call"),
    Context.COMMAND: N_("a management command"),
    Context.PROCESS: N_("a child process"),
    Context.GEVENT: N_("a greenlet"),
    Context.EXECUTOR: N_("a thread pool"),
    Context.THREAD: N_("a thread"),
    Context.ASYNC: N_("async code"),
    Context.SHELL: N_("an interactive shell"),
    Context.HEALTH: N_("a health check"),
    Context.JOB: N_("a background job"),
}

_FATES = {
    Step.CONNECT: N_("Nothing had been sent; repeating it is safe."),
    Step.BEGIN: N_("Nothing of the transaction had been sent; running the block again is safe."),
    Step.AFTER_COMMIT: N_(
        "If the block had ended without an error, its COMMIT was answered and its data are stored; "
        "what runs on commit was lost. Running it again would store it twice."
    ),
    Step.COMMIT: N_(
        "COMMIT may have been done or not, and may still be done later, so finding no rows proves "
        "nothing. Insert the same unique value again in a new transaction: if that is refused, it "
        "is stored."
    ),
    Step.ROLLBACK: N_("The server undoes a transaction whose connection ends; nothing is stored."),
    Step.SAVEPOINT: N_("The transaction is undone as a whole; run the outermost block again."),
    Step.PING: N_("No work was lost by this one; what came before it in the log may have been."),
    Step.FETCH: N_("Some rows had been read; the reading has to begin again."),
    Step.BULK: N_("Inside atomic nothing is stored; outside, a part of the rows may be."),
    Step.WRITE: N_(
        "Inside atomic nothing is stored; outside, it may have been done, or be done yet: repeat "
        "it only where a second time is refused, by a unique value, or changes nothing."
    ),
    Step.READ: N_("A read changes nothing; repeating it is safe."),
    Step.STATEMENT: N_(
        "The text does not show what statement it was. A read may be repeated, a write only where "
        "a second time is refused, by a unique value, or changes nothing."
    ),
}
_REFUSED = N_("No statement was sent; repeating it is safe once the server takes connections.")
_NOT_RUN = N_("The statement did not run.")

_BY_LABEL = {
    Label.NOT_EXECUTED: _NOT_RUN,
    Label.ROLLED_BACK: N_("Nothing of the transaction is stored; run the whole block again."),
    Label.COMMIT_UNKNOWN: _FATES[Step.COMMIT],
    Label.UNKNOWN_EFFECT: N_(
        "It may have been done, or be done yet: repeat it only where a second time is refused, by "
        "a unique value, or changes nothing."
    ),
    Label.REPEATABLE_READ: _FATES[Step.READ],
}

_CONNECTING = frozenset(
    {
        codes.CR_CONNECTION_ERROR,
        codes.CR_CONN_HOST_ERROR,
        codes.CR_UNKNOWN_HOST,
        codes.CR_SERVER_HANDSHAKE_ERR,
        codes.ER_CON_COUNT_ERROR,
        codes.ER_BAD_HOST_ERROR,
        codes.ER_HANDSHAKE_ERROR,
        codes.ER_DBACCESS_DENIED_ERROR,
        codes.ER_ACCESS_DENIED_ERROR,
        codes.ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
        codes.ER_BAD_DB_ERROR,
        codes.ER_HOST_IS_BLOCKED,
        codes.ER_HOST_NOT_PRIVILEGED,
        codes.ER_TOO_MANY_USER_CONNECTIONS,
    }
)
_NEVER_RUN = frozenset(
    {
        codes.CR_COMMANDS_OUT_OF_SYNC,
        codes.ER_UNKNOWN_COM_ERROR,
        codes.ER_NET_PACKET_TOO_LARGE,
        codes.ER_OPTION_PREVENTS_STATEMENT,
        codes.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
        codes.ER_READ_ONLY_MODE,
        codes.ER_CLIENT_INTERACTION_TIMEOUT,
        *PROXYSQL,
        *ours.NAMES,
    }
)


def fate_of(facts: Facts) -> str:
    """Say what became of the work, as far as number and place tell."""
    for label, text in _BY_LABEL.items():
        if facts.label == label.value:
            return text
    if facts.code in _CONNECTING or "connecting" in facts.details:
        return _REFUSED
    if facts.code in _NEVER_RUN:
        return _NOT_RUN
    return _FATES[facts.step]


def step_of(facts: Facts) -> Step:
    """Return the step, which some numbers name better than the stack."""
    connecting = facts.code in _CONNECTING or "connecting" in facts.details
    return Step.CONNECT if connecting else facts.step
