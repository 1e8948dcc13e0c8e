"""How many connections the fleet may open, and how many there are to have."""

from __future__ import annotations

import math

from django_lifeline.diagnosis.doctor.facts import Facts, Layout, Service, Settings
from django_lifeline.diagnosis.doctor.finding import Found, Level, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE

COMFORTABLE = 0.8
"""The share of a limit that one application may use and leave room for others."""
LARGE_POOL = 50
"""More in one process is not advised: so many statements at once it cannot work on anyway."""
SANE = 1000
"""The most connections that raising a limit is advised to: each takes memory, some a lot of it."""


@rule(
    "D201",
    "The processes may open more connections than the server allows",
    "Under load the server refuses the rest with 1040, Too many connections: pages fail just when "
    "there are most visitors, and administrators are locked out with them.",
)
def fleet_over_max_connections(facts: Facts) -> Found | None:
    """Demand of all aliases on this server against max_connections."""
    if facts.server is None:
        return None
    limit = facts.server.number("max_connections", everywhere=True)
    return _over(facts, (facts.settings, *facts.beside), limit, "max_connections")


@rule(
    "D202",
    "The processes may open more connections than the account is allowed",
    "The server refuses the account's next connection with 1226 or 1203, however few there are in "
    "all.",
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
    "The server has been full before",
    "Somebody was refused with 1040 then, and it will happen again under the same load.",
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
        f"Since it started the server had up to {most} connections of {limit} "
        f"(max_connections) and refused {refused}.",
        "# find out who holds them:\n"
        "SELECT user, host, command, COUNT(*), MAX(time) FROM information_schema.PROCESSLIST "
        "GROUP BY 1, 2, 3;\n" + _raised(min(limit * 2, SANE), limit),
        {"max_connections": limit, "Max_used_connections": most, "refused": refused},
    )


def _raised(wanted: int, limit: int) -> str:
    """Advise to raise max_connections as far as that is sane, and else what helps."""
    if wanted > SANE or wanted <= limit:
        return (
            f"# more than {max(SANE, limit)} is no cure, since each takes the server's memory: "
            "open fewer, by a pool in each process and by fewer processes"
        )
    return f"# or, if the server's memory allows:\nSET GLOBAL max_connections = {wanted};"


def per_process(service: Service, settings: Settings) -> int:
    """Return how many connections one process may have open to one alias."""
    if settings.pool is None:
        return service.borrowers
    if service.asynchronous:
        return settings.pool.max_size
    # A pool opens another one only while all are in use.
    return min(settings.pool.max_size, service.borrowers)


def demand(layout: Layout, aliases: tuple[Settings, ...]) -> int:
    """Return how many connections the whole fleet may open."""
    each = sum(
        service.processes * per_process(service, settings)
        for service in layout.services
        for settings in aliases
    )
    return each * layout.instances


def _known_layout(facts: Facts) -> Layout | None:
    """Without a layout a pool still says what one process may open."""
    if facts.layout is not None or facts.settings.pool is None:
        return facts.layout
    return Layout(services=(Service(kind="one process", asynchronous=True),))


def _over(
    facts: Facts, aliases: tuple[Settings, ...], limit: int | None, variable: str
) -> Found | None:
    layout = _known_layout(facts)
    if limit is None or layout is None:
        return None
    wanted = demand(layout, aliases)
    if wanted <= limit * COMFORTABLE:
        return None
    room = "more than" if wanted > limit else "close to"
    return Found(
        Level.ERROR if wanted > limit else Level.WARNING,
        f"{_sum(layout, aliases)} may be open at once, {room} the {limit} that {variable} allows.",
        _remedy(facts, layout, limit, wanted, variable),
        {"connections": wanted, variable: limit},
    )


def _sum(layout: Layout, aliases: tuple[Settings, ...]) -> str:
    terms = " + ".join(
        f"{service.processes} × {per_process(service, settings)} ({service.kind})"
        for service in layout.services
        for settings in aliases
    )
    if layout.instances > 1:
        terms = f"{layout.instances} × ({terms})"
    return f"{terms} = {demand(layout, aliases)} connections"


def _remedy(facts: Facts, layout: Layout, limit: int, wanted: int, variable: str) -> str:
    processes = sum(service.processes for service in layout.services) * layout.instances
    share = int(limit * COMFORTABLE) // max(1, processes * (1 + len(facts.beside)))
    share = min(share, LARGE_POOL)
    lines = []
    if share >= 1:
        if not facts.settings.ours:
            lines.append(f"{OUR_ENGINE}  # threads share a pool")
        lines.append(f'"OPTIONS": {{"pool": {{"max_size": {share}}}}},')
    else:
        lines.append(f"# fewer processes: {processes} cannot share {limit} connections")
    more = math.ceil(wanted / COMFORTABLE)
    if variable == "max_connections":
        lines.append(_raised(more, limit))
    elif more <= SANE:
        user = facts.server.account if facts.server else ""
        name, _, host = user.rpartition("@")
        lines.append(f"# or:\nALTER USER '{name}'@'{host}' WITH MAX_USER_CONNECTIONS {more};")
    return "\n".join(lines)


RULES = (fleet_over_max_connections, fleet_over_account_limit, was_full)
