"""What every new session is told to begin with."""

from __future__ import annotations

from django_lifeline.core.effects import Effect
from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Found, Level, rule

HARMFUL = {
    Effect.DML: "changes or locks rows",
    Effect.IMPLICIT_COMMIT: "runs DDL or something unknown",
    Effect.PINS: "leaves state that no other session has (a lock, a temporary table, a variable)",
    Effect.OPAQUE: "runs code that cannot be seen from its text",
    Effect.TRANSACTION: "begins or configures a transaction",
}
DJANGOS_OWN = {
    "autocommit": '"AUTOCOMMIT": True,  # and transaction.atomic() in the code',
    "transaction_isolation": '"OPTIONS": {"isolation_level": "read committed"},',
    "tx_isolation": '"OPTIONS": {"isolation_level": "read committed"},',
    "names": '"OPTIONS": {"charset": "utf8mb4"},',
    "character_set_client": '"OPTIONS": {"charset": "utf8mb4"},',
}


@rule(
    "D601",
    "init_command does more than set variables",
    "It runs again with every new connection: after each loss, for each worker, and after each "
    "reset of a pooled session. State that it leaves is lost with the connection, without a word.",
)
def init_command_pins(facts: Facts) -> Found | None:
    """An init_command that is not only assignments of literals to session variables."""
    effect = facts.settings.init_effect
    worst = [told for kind, told in HARMFUL.items() if effect & kind]
    if not worst:
        return None
    return Found(
        Level.WARNING,
        f"OPTIONS['init_command'] {worst[0]}.",
        "# keep to literal session settings, such as\n"
        '"OPTIONS": {"init_command": "SET innodb_lock_wait_timeout = 10"},\n'
        "# and do the rest where it is needed, in the code",
        {"effect": worst},
    )


@rule(
    "D602",
    "init_command sets what Django sets",
    "Django makes its own setting after the connection is open and believes in it: yours is "
    "overwritten, or Django is wrong about the session.",
)
def init_command_against_django(facts: Facts) -> Found | None:
    """autocommit, isolation level or character set in init_command."""
    sets = sorted(facts.settings.init_sets & set(DJANGOS_OWN))
    if not sets:
        return None
    return Found(
        Level.WARNING,
        f"OPTIONS['init_command'] sets {', '.join(sets)}.",
        "# take it out, and say it to Django:\n"
        + "\n".join(dict.fromkeys(DJANGOS_OWN[name] for name in sets)),
        {"sets": sets},
    )


RULES = (init_command_pins, init_command_against_django)
