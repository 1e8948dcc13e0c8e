"""The server itself, what stands before it, and who we are there."""

from __future__ import annotations

from datetime import date, timedelta

from django_lifeline.diagnosis.doctor.facts import Facts, Server
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE
from django_lifeline.diagnosis.pages import address
from django_lifeline.diagnosis.saying import Sayable, lines, listed, say, sentences
from django_lifeline.diagnosis.text import N_

SOON = timedelta(days=180)
PROXY_IDLE = 60
"""The idle limit that TCP proxies are commonly given, such as HAProxy's ``timeout client 1m``."""

MARIADB_ENDS = {
    "10.2": date(2022, 5, 23),
    "10.3": date(2023, 5, 25),
    "10.4": date(2024, 6, 18),
    "10.5": date(2025, 6, 24),
    "10.6": date(2026, 7, 6),
    "10.7": date(2023, 2, 9),
    "10.8": date(2023, 5, 20),
    "10.9": date(2023, 8, 22),
    "10.10": date(2023, 11, 17),
    "10.11": date(2028, 2, 16),
    "11.0": date(2024, 6, 6),
    "11.1": date(2024, 8, 21),
    "11.2": date(2024, 11, 21),
    "11.4": date(2029, 5, 29),
    "11.8": date(2028, 6, 4),
    "12.3": date(2029, 6, 30),
}
"""Source: MariaDB Foundation, Maintenance Policy (mariadb.org/about/#maintenance-policy)."""
MYSQL_ENDS = {
    "5.5": date(2018, 12, 31),
    "5.6": date(2021, 2, 28),
    "5.7": date(2023, 10, 31),
    "8.0": date(2026, 4, 30),
    "8.4": date(2032, 4, 30),
    "9.7": date(2034, 4, 30),
}
"""Source: Oracle Lifetime Support Policy, MySQL (end of Extended Support)."""
INTERIM = {
    True: ("11.3", "11.5", "11.6", "11.7", "12.0", "12.1", "12.2"),
    False: ("8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6", "26.7"),
}
"""Releases that ended with the next one: MariaDB's rolling (True), MySQL's innovation (False).

After 9.7 MySQL's innovation releases are named by year and month: 26.7 is newer than 9.7.
"""
ADMINISTRATORS = frozenset(
    {
        "ALL PRIVILEGES",
        "SUPER",
        "SHUTDOWN",
        "FILE",
        "CREATE USER",
        "GRANT OPTION",
        "RELOAD",
        "SYSTEM_VARIABLES_ADMIN",
        "CONNECTION_ADMIN",
        "CONNECTION ADMIN",
        "READ_ONLY ADMIN",
    }
)


@rule(
    "D701",
    N_("The server cannot be reached"),
    N_(
        "Nothing works without it. The settings were examined all the same; what the server would "
        "have said is missing below."
    ),
    as_check=False,
)
def unreachable(facts: Facts) -> Found | None:
    """The doctor itself could not connect."""
    trouble = facts.unreachable
    if trouble is None:
        return None
    number = f" ({trouble.code})" if trouble.code else ""
    told = (
        N_("Connecting to {address} as {user} failed{number}: {text}")
        if facts.settings.user
        else N_("Connecting to {address} failed{number}: {text}")
    )
    return Found(
        Level.CRITICAL,
        say(
            told,
            address=facts.settings.address,
            user=repr(facts.settings.user),
            number=number,
            text=trouble.text,
        ),
        trouble.change,
        {"address": facts.settings.address, "code": trouble.code},
    )


@rule(
    "D702",
    N_("Something stands between Django and the server"),
    N_(
        "It closes connections by its own idle limit, which no variable of the server shows, and "
        "when it restarts. Where it shares server connections between clients, session state "
        "(locks, temporary tables, variables) may vanish or pin a connection."
    ),
)
def proxy(facts: Facts) -> Found | None:
    """ProxySQL, MaxScale, RDS Proxy, HAProxy or another that the evidence shows."""
    settings = facts.settings
    if facts.server is None or not facts.server.proxies:
        return None
    found = facts.server.proxies
    limits = [one.idle_limit for one in found if one.idle_limit is not None]
    limit = min(limits) if limits else PROXY_IDLE
    age = settings.conn_max_age
    trouble = settings.persistent and not settings.health_checks and (age is None or age >= limit)
    idle = settings.pool.max_idle if settings.pool else None
    longer = N_("its idle limit, often {limit} s, must be longer than what is kept here:")
    change: list[Sayable] = [remark(longer, limit=f"{limit:g}")]
    if settings.ours:
        change.append(f'"OPTIONS": {{"pool": {{"max_idle": {int(limit * 0.8)}}}}},')
    else:
        change += [f'"CONN_MAX_AGE": {int(limit * 0.8)},', '"CONN_HEALTH_CHECKS": True,']
        change.append(remark(N_("or:")))
        change.append(noted(OUR_ENGINE, N_("notices the cut before each statement")))
    seen = [say(N_("{what}: {places}"), what=say(one.name), places=one.evidence) for one in found]
    return Found(
        Level.WARNING if trouble else Level.INFO,
        say(N_("{told}."), told=sentences(seen)),
        lines(*change),
        {
            "proxies": [one.name for one in found],
            "idle_limit": min(limits) if limits else None,
            "CONN_MAX_AGE": age,
            "max_idle": idle,
        },
    )


@rule(
    "D703",
    N_("The server is at the end of its support"),
    N_(
        "Crashes and security holes are not repaired any more, and Django drops old versions with "
        "each of its releases."
    ),
)
def end_of_support(facts: Facts) -> Found | None:
    """The release series against the table of dates."""
    server = facts.server
    if server is None:
        return None
    ends = (MARIADB_ENDS if server.mariadb else MYSQL_ENDS).get(server.series)
    interim = server.series in INTERIM[server.mariadb]
    if interim:
        told = N_("{server} is an interim release; a later one has replaced it.")
    elif ends is None or ends - SOON > facts.today:
        return None
    else:
        told = (
            N_("Support of {server} ended on {end}.")
            if ends < facts.today
            else N_("Support of {server} ends on {end}.")
        )
    past = interim or (ends is not None and ends < facts.today)
    newer = N_("MariaDB 11.8 or 12.3") if server.mariadb else N_("MySQL 8.4 or 9.7")
    return Found(
        Level.WARNING if past else Level.INFO,
        say(told, server=server.name, end=f"{ends:%Y-%m-%d}" if ends else ""),
        remark(N_("upgrade to a release with long-term support: {newer}"), newer=say(newer)),
        {"version": server.version, "end": ends.isoformat() if ends else None},
    )


@rule(
    "D704",
    N_("The server takes no writes"),
    N_(
        "Every write fails with 1290. After a failover the address may still lead to the old "
        "primary."
    ),
)
def read_only(facts: Facts) -> Found | None:
    """read_only or super_read_only."""
    server = facts.server
    if server is None:
        return None
    on = [
        name
        for name in ("super_read_only", "read_only")
        if server.globals.get(name, "OFF").upper() not in ("OFF", "0", "")
    ]
    if not on:
        return None
    return Found(
        Level.INFO,
        say(N_("{name} is on. That is right for a replica that is only read."), name=on[0]),
        remark(N_("if this alias should write, HOST must name the primary")),
        {"read_only": True},
    )


@rule(
    "D705",
    N_("The account may do more than it needs"),
    N_(
        "A hole in the application becomes a hole in the server. An administrator's account also "
        "takes the connection that is kept for administrators, and writes to replicas that are "
        "read only."
    ),
    as_check=False,
)
def too_many_rights(facts: Facts) -> Found | None:
    """Privileges on everything."""
    server = facts.server
    if server is None or not server.rights:
        return None
    admin = sorted(server.rights & ADMINISTRATORS)
    told = (
        N_("{account} has administrator's rights ({rights}).")
        if admin
        else N_("{account} has rights on all databases.")
    )
    return Found(
        Level.WARNING if admin else Level.INFO,
        say(told, account=server.account, rights=listed(admin)),
        _own_rights(server, facts.settings.name, admin=bool(admin)),
        {"account": server.account, "rights": sorted(server.rights)},
    )


NEEDED = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"),
)
"""What a Django site needs on its own database, migrations included."""


def _own_rights(server: Server, database: str, *, admin: bool) -> Sayable:
    """Return the SQL for an account that may do what the site needs, and no more."""
    user, _, host = server.account.rpartition("@")
    site = "'site'@'%'" if admin else f"'{user}'@'{host}'"
    grant = f"GRANT {', '.join(NEEDED)}\n  ON {in_grant(database)}.* TO {site};"
    if admin:
        # Taking an administrator's rights away may lock everybody out.
        create = f"CREATE USER {site} IDENTIFIED BY '…';"
        first: Sayable = noted(create, N_("and USER, PASSWORD in the settings"))
    else:
        first = f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {site};"
    rights = remark(N_("who needs which rights: {page}"), page=address("rights"))
    return lines(first, grant, rights)


def in_grant(database: str) -> str:
    """Return a database's name as GRANT wants it, where ``_`` and ``%`` stand for others."""
    if not database:
        return "`your_database`"
    escaped = database.replace("`", "``").replace("_", r"\_").replace("%", r"\%")
    return f"`{escaped}`"


RULES = (unreachable, proxy, end_of_support, too_many_rights, read_only)
