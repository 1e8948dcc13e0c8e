"""How many connections the fleet may open, and how many there are to have."""

from __future__ import annotations

import math

from django_lifeline.diagnosis.doctor.facts import Facts, Layout, Service, Settings
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE
from django_lifeline.diagnosis.saying import Joined, Said, Sayable, lines, say
from django_lifeline.diagnosis.text import N_

COMFORTABLE = 0.8
"""The share of a limit that one application may use and leave room for others."""
LARGE_POOL = 50
"""More in one process is not advised: so many statements at once it cannot work on anyway."""
SMALL_POOL = 4
"""Below it threads wait for one database while connections to others are idle: then one limit for
all of them is better, under which those give way."""
SANE = 1000
"""The most connections that raising a limit is advised to: each takes memory, some a lot of it."""


@rule(
    "D201",
    N_("The processes may open more connections than the server allows"),
    N_(
        "Under load the server refuses the rest with 1040, Too many connections: pages fail just "
        "when there are most visitors, and administrators are locked out with them."
    ),
)
def fleet_over_max_connections(facts: Facts) -> Found | None:
    """Demand of all aliases on this server against max_connections."""
    if facts.server is None:
        return None
    limit = facts.server.number("max_connections", everywhere=True)
    return _over(facts, (facts.settings, *facts.beside), limit, "max_connections")


@rule(
    "D202",
    N_("The processes may open more connections than the account is allowed"),
    N_(
        "The server refuses the account's next connection with 1226 or 1203, however few there are "
        "in all."
    ),
)
def fleet_over_account_limit(facts: Facts) -> Found | None:
    """Demand of all aliases with this account against its own limit."""
    if facts.server is None:
        return None
    # In a session it is the account's own limit; 0 stands for none.
    limit = facts.server.number("max_user_connections") or None
    same = [other for other in facts.beside if other.user == facts.settings.user]
    return _over(facts, (facts.settings, *same), limit, "max_user_connections")


@rule(
    "D203",
    N_("The server has been full before"),
    N_("Somebody was refused with 1040 then, and it will happen again under the same load."),
    as_check=False,
)
def was_full(facts: Facts) -> Found | None:
    """The server's own counters since it started."""
    if facts.server is None:
        return None
    limit = facts.server.number("max_connections", everywhere=True)
    most = facts.server.count("Max_used_connections")
    refused = facts.server.count("Connection_errors_max_connections")
    if limit is None or (most < limit and not refused):
        return None
    return Found(
        Level.WARNING,
        say(
            N_(
                "Since it started the server had up to {most} connections of {limit} "
                "(max_connections) and refused {refused}."
            ),
            most=most,
            limit=limit,
            refused=refused,
        ),
        lines(
            remark(N_("find out who holds them:")),
            "SELECT user, host, command, COUNT(*), MAX(time) FROM information_schema.PROCESSLIST "
            "GROUP BY 1, 2, 3;",
            _raised(min(limit * 2, SANE), limit),
        ),
        {"max_connections": limit, "Max_used_connections": most, "refused": refused},
    )


def _raised(wanted: int, limit: int) -> Joined:
    """Advise to raise max_connections as far as that is sane, and else what helps."""
    if wanted > SANE or wanted <= limit:
        return remark(
            N_(
                "more than {most} is no cure, since each takes the server's memory: open fewer, by "
                "a pool in each process and by fewer processes"
            ),
            most=max(SANE, limit),
        )
    return lines(
        remark(N_("or, if the server's memory allows:")), f"SET GLOBAL max_connections = {wanted};"
    )


def per_process(service: Service, settings: Settings) -> int:
    """Return how many connections one process may have open to one alias."""
    if settings.pool is None:
        return service.borrowers
    pool = settings.pool
    if pool.max_overflow is None:
        # Nobody has set a limit: as many as run at once, which are few where code is asynchronous.
        return pool.max_size if service.asynchronous else service.borrowers
    # A pool opens another one only while all are in use.
    limit = pool.max_size + pool.max_overflow
    return limit if service.asynchronous else min(limit, service.borrowers)


def in_a_process(service: Service, aliases: tuple[Settings, ...]) -> list[int]:
    """Return how many one process may open: to each alias, and to all that share one limit."""
    shared = [it for it in aliases if it.pool is not None and it.lifeline.max_connections]
    own = [per_process(service, settings) for settings in aliases if settings not in shared]
    if not shared:
        return own
    limit = min(it.lifeline.max_connections or 0 for it in shared)
    return [*own, min(limit, sum(per_process(service, settings) for settings in shared))]


def demand(layout: Layout, aliases: tuple[Settings, ...]) -> int:
    """Return how many connections the whole fleet may open."""
    each = sum(
        service.processes * sum(in_a_process(service, aliases)) for service in layout.services
    )
    return each * layout.instances


def _known_layout(facts: Facts) -> Layout | None:
    """Without a layout a pool still says what one process may open."""
    if facts.layout is not None or facts.settings.pool is None:
        return facts.layout
    return Layout(services=(Service(kind=N_("one process"), asynchronous=True),))


def _over(
    facts: Facts, aliases: tuple[Settings, ...], limit: int | None, variable: str
) -> Found | None:
    layout = _known_layout(facts)
    if limit is None or layout is None:
        return None
    wanted = demand(layout, aliases)
    if wanted <= limit * COMFORTABLE:
        return None
    told = (
        N_("{sum} may be open at once, more than the {limit} that {variable} allows.")
        if wanted > limit
        else N_("{sum} may be open at once, close to the {limit} that {variable} allows.")
    )
    return Found(
        Level.ERROR if wanted > limit else Level.WARNING,
        say(told, sum=_sum(layout, aliases), limit=limit, variable=variable),
        _remedy(facts, layout, limit, wanted, variable),
        {"connections": wanted, variable: limit},
    )


def _sum(layout: Layout, aliases: tuple[Settings, ...]) -> Said:
    terms: Sayable = Joined(
        tuple(
            say(
                "{processes} × {each} ({kind})",
                processes=service.processes,
                each=each,
                kind=say(service.kind),
            )
            for service in layout.services
            for each in in_a_process(service, aliases)
        ),
        " + ",
    )
    if layout.instances > 1:
        terms = say("{instances} × ({terms})", instances=layout.instances, terms=terms)
    return say(N_("{terms} = {all} connections"), terms=terms, all=demand(layout, aliases))


def _remedy(facts: Facts, layout: Layout, limit: int, wanted: int, variable: str) -> Sayable:
    processes = sum(service.processes for service in layout.services) * layout.instances
    share = int(limit * COMFORTABLE) // max(1, processes * (1 + len(facts.beside)))
    share = min(share, LARGE_POOL)
    change: list[Sayable] = []
    for_all = int(limit * COMFORTABLE) // max(1, processes)
    if for_all >= 1 and _goes_by_one_limit(facts, share):
        change.append(f'"OPTIONS": {{"lifeline": {{"max_connections": {for_all}}}}},')
    elif share >= 1:
        if not facts.settings.ours:
            change.append(noted(OUR_ENGINE, N_("threads share a pool")))
        change.append(f'"OPTIONS": {{"pool": {{"max_size": {share}}}}},')
    else:
        fewer = N_("fewer processes: {processes} cannot share {limit} connections")
        change.append(remark(fewer, processes=processes, limit=limit))
    more = math.ceil(wanted / COMFORTABLE)
    if variable == "max_connections":
        change.append(_raised(more, limit))
    elif more <= SANE:
        user = facts.server.account if facts.server else ""
        name, _, host = user.rpartition("@")
        change += [
            remark(N_("or:")),
            f"ALTER USER '{name}'@'{host}' WITH MAX_USER_CONNECTIONS {more};",
        ]
    return lines(*change)


def _goes_by_one_limit(facts: Facts, share: int) -> bool:
    """Whether all databases of the server are better counted together in each process."""
    if facts.settings.pool is None:
        return False
    many = bool(facts.beside) and share < SMALL_POOL
    return many or facts.settings.lifeline.max_connections is not None


RULES = (fleet_over_max_connections, fleet_over_account_limit, was_full)
