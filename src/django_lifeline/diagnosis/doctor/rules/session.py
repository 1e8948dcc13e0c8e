"""What every new session is told to begin with."""

from __future__ import annotations

from django_lifeline.core.effects import Effect
from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.saying import Sayable, lines, listed, say
from django_lifeline.diagnosis.text import N_

HARMFUL = {
    Effect.DML: N_("changes or locks rows"),
    Effect.IMPLICIT_COMMIT: N_("runs DDL or something unknown"),
    Effect.PINS: N_(
        "leaves state that no other session has (a lock, a temporary table, a variable)"
    ),
    Effect.OPAQUE: N_("runs code that cannot be seen from its text"),
    Effect.TRANSACTION: N_("begins or configures a transaction"),
}
DJANGOS_OWN: dict[str, Sayable] = {
    "autocommit": noted('"AUTOCOMMIT": True,', N_("and transaction.atomic() in the code")),
    "transaction_isolation": '"OPTIONS": {"isolation_level": "read committed"},',
    "tx_isolation": '"OPTIONS": {"isolation_level": "read committed"},',
    "names": '"OPTIONS": {"charset": "utf8mb4"},',
    "character_set_client": '"OPTIONS": {"charset": "utf8mb4"},',
}


@rule(
    "D601",
    N_("init_command does more than set variables"),
    N_(
        "It runs again with every new connection: after each loss, for each worker, and after each "
        "reset of a pooled session. State that it leaves is lost with the connection, without a "
        "word."
    ),
)
def init_command_pins(facts: Facts) -> Found | None:
    """An init_command that is not only assignments of literals to session variables."""
    effect = facts.settings.init_effect
    worst = [told for kind, told in HARMFUL.items() if effect & kind]
    if not worst:
        return None
    return Found(
        Level.WARNING,
        say(N_("OPTIONS['init_command'] {does}."), does=say(worst[0])),
        lines(
            remark(N_("keep to literal session settings, such as")),
            '"OPTIONS": {"init_command": "SET innodb_lock_wait_timeout = 10"},',
            remark(N_("and do the rest where it is needed, in the code")),
        ),
        {"effect": worst},
    )


@rule(
    "D602",
    N_("init_command sets what Django sets"),
    N_(
        "Django makes its own setting after the connection is open and believes in it: yours is "
        "overwritten, or Django is wrong about the session."
    ),
)
def init_command_against_django(facts: Facts) -> Found | None:
    """autocommit, isolation level or character set in init_command."""
    sets = sorted(facts.settings.init_sets & set(DJANGOS_OWN))
    if not sets:
        return None
    own = [DJANGOS_OWN[name] for name in sets]
    return Found(
        Level.WARNING,
        say(N_("OPTIONS['init_command'] sets {names}."), names=listed(sets)),
        lines(
            remark(N_("take it out, and say it to Django:")),
            *(line for place, line in enumerate(own) if line not in own[:place]),
        ),
        {"sets": sets},
    )


RULES = (init_command_pins, init_command_against_django)
