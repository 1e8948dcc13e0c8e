"""What every new session is told to begin with."""

from __future__ import annotations

from collections.abc import Iterable

from django_lifeline.core.effects import Effect
from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.saying import Sayable, lines, listed, say, sentences
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


SHARING = frozenset({"RDS Proxy", "ProxySQL"})
"""Proxies that let many clients share few connections of the server's."""
TRACKED = frozenset(
    {"autocommit", "names", "session_track_schema", "sql_mode", "time_zone", "wait_timeout"}
    | {"auto_increment_increment", "interactive_timeout", "net_write_timeout", "query_cache_type"}
    | {"transaction_isolation", "transaction_read_only"}
)
"""What RDS Proxy keeps track of, beside character sets and collations."""


@rule(
    "D603",
    N_("init_command binds sessions to connections of a proxy"),
    N_(
        "A proxy that shares the server's connections binds a client whose session holds what it "
        "does not keep track of; then it needs as many connections as there are clients."
    ),
)
def init_command_pins_the_proxy(facts: Facts) -> Found | None:
    """An init_command that sets other variables than those that the proxy carries over."""
    settings = facts.settings
    proxy = _sharing(facts)
    unknown = _untracked(settings.init_sets)
    if not proxy or not (unknown or settings.init_effect & Effect.PINS):
        return None
    if unknown:
        what = say(
            N_("OPTIONS['init_command'] sets {names}, which {proxy} does not keep track of."),
            names=listed(unknown),
            proxy=proxy,
        )
    else:
        what = say(
            N_("OPTIONS['init_command'] leaves state that {proxy} does not keep track of."),
            proxy=proxy,
        )
    return Found(
        Level.WARNING,
        what,
        lines(
            remark(N_("take it out, and set it where the server's own values are set:")),
            remark(N_("a parameter group, SET GLOBAL, or the configuration file")),
        ),
        {"sets": unknown, "proxy": proxy},
    )


SHOWN = 5
LONGEST_SHARED = {"RDS Proxy": 16 << 10}
"""Bytes of a statement beyond which a proxy binds the session that sent it."""


@rule(
    "D604",
    N_("The code binds sessions to connections of a proxy"),
    N_(
        "Locks by name, temporary tables, variables and settings of a session live in one "
        "connection of the server's: a proxy that shares them binds the client to it until its "
        "session ends or is reset."
    ),
)
def code_pins_the_proxy(facts: Facts) -> Found | None:
    """GET_LOCK, temporary tables, SET and their like in the project's code; long statements."""
    proxy, project = _sharing(facts), facts.project
    if not proxy or project is None:
        return None
    told: list[Sayable] = []
    pins = [pin for pin in project.pins if not pin.sets or _untracked(pin.sets)]
    if pins:
        places = [str(pin) for pin in pins[:SHOWN]]
        more = len(pins) - SHOWN
        some: Sayable = listed(places)
        if more > 0:
            some = say(N_("{some} and {count} more"), some=some, count=more)
        told.append(say(N_("State is left in the session by {places}"), places=some))
    longest = LONGEST_SHARED.get(proxy)
    if longest and project.large_fields:
        told.append(
            say(
                N_("a statement longer than {size} kB binds it too, as {field} may need"),
                size=longest >> 10,
                field=project.large_fields[0].name,
            )
        )
    if not told:
        return None
    return Found(
        Level.WARNING if pins else Level.INFO,
        say(N_("{told}."), told=sentences(told)),
        lines(
            remark(N_("keep such work in few processes, or give it an alias past the proxy;")),
            remark(N_("the engine resets a session that was given such state when it is free")),
        ),
        {"pins": len(pins), "proxy": proxy},
    )


def _untracked(names: Iterable[str]) -> list[str]:
    """Those variables of a session that the proxies do not carry over."""
    families = ("character_set_", "collation_")
    return sorted(name for name in set(names) - TRACKED if not name.startswith(families))


def _sharing(facts: Facts) -> str:
    """The name of a proxy in between that shares connections; empty: none is known."""
    proxies = () if facts.server is None else facts.server.proxies
    return next((str(proxy.name) for proxy in proxies if proxy.name in SHARING), "")


RULES = (
    init_command_pins,
    init_command_against_django,
    init_command_pins_the_proxy,
    code_pins_the_proxy,
)
