"""What somebody has done about it before: options, other pools, code."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.code import Kind, Remedy
from django_lifeline.diagnosis.doctor.facts import Facts, Stray
from django_lifeline.diagnosis.doctor.finding import Found, Level, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE

SHOWN = 5


@rule(
    "W007",
    "Options stand where nobody reads them",
    "Django ignores what it does not know in an entry of DATABASES, without a word, and the driver "
    "refuses to connect with an option that is not its own.",
)
def misplaced_options(facts: Facts) -> Found | None:
    """A level too high or too low: in the entry, in OPTIONS, in the settings themselves."""
    strays = [*facts.settings.misplaced, *_of_settings(facts, pools=False)]
    if not strays:
        return None
    places = dict.fromkeys(stray.found for stray in strays)
    refused = "OPTIONS" in places
    told = [_standing([one.name for one in strays if one.found == at], at) for at in places]
    return Found(
        Level.ERROR if refused else Level.WARNING,
        f"{'; '.join(told)}.",
        "\n".join(f"# move {stray.name} to {stray.belongs}" for stray in strays),
        {"options": [stray.name for stray in strays]},
    )


def _standing(names: list[str], place: str) -> str:
    """Say where some options stand, and what that does."""
    verb, what = ("stands", "it") if len(names) == 1 else ("stand", "them")
    effect = "the driver refuses" if place == "OPTIONS" else "nothing reads"
    return f"{' and '.join(names)} {verb} in {place}, where {effect} {what}"


@rule(
    "W008",
    "Settings of another pool are left",
    "Whoever reads the settings believes in a pool that is not there; and a package that patches "
    "Django while it is installed goes on doing so under another engine.",
)
def leftovers_of_pools(facts: Facts) -> Found | None:
    """POOL_OPTIONS and its like, CONN_… that Django does not have, apps that patch."""
    strays = [*facts.settings.leftovers, *_of_settings(facts, pools=True)]
    if not strays:
        return None
    told = "; ".join(_left(stray) for stray in strays)
    ours = facts.settings.ours
    size = "OPTIONS['pool'] = {'max_size': …} is this engine's" if ours else OUR_ENGINE
    return Found(
        Level.WARNING,
        f"{told}.",
        "# remove: " + ", ".join(stray.name for stray in strays) + f"\n# {size}",
        {"left": [stray.name for stray in strays]},
    )


@rule(
    "W009",
    "The code has a remedy of its own",
    "A replaced method of Django's hides what the engine does and breaks with the next Django; a "
    "driver's ping reconnects into a session without Django's settings; and whoever repeats a "
    "statement after 2006 or 2013 may store it twice.",
)
def own_remedies(facts: Facts) -> Found | None:
    """Monkey-patches, retry loops, pings and middlewares in the project's own code."""
    found = facts.project.remedies if facts.project else ()
    ours = facts.settings.ours
    worth = [remedy for remedy in found if ours or remedy.kind is not Kind.CLOSE]
    if not worth:
        return None
    kinds = {remedy.kind for remedy in worth}
    grave = kinds & (_HARMFUL if ours else _HARMFUL_ALWAYS)
    return Found(
        Level.WARNING if grave else Level.INFO,
        "; ".join(f"{_TOLD[kind]}: {_some(worth, kind)}" for kind in Kind if kind in kinds) + ".",
        _change(kinds, ours=ours),
        {kind.value: sum(remedy.kind is kind for remedy in worth) for kind in kinds},
    )


_HARMFUL = frozenset({Kind.PATCH, Kind.REPEAT, Kind.PING, Kind.MIDDLEWARE})
_HARMFUL_ALWAYS = frozenset({Kind.REPEAT, Kind.PING})
_TOLD = {
    Kind.PATCH: "a method is replaced",
    Kind.REPEAT: "lost connections are caught by their number",
    Kind.PING: "the driver is pinged",
    Kind.MIDDLEWARE: "a middleware handles connections",
    Kind.CLOSE: "old connections are closed by hand",
}
_INSTEAD = {
    Kind.PATCH: "# take the patch out: this engine replaces a dead connection itself",
    Kind.REPEAT: "# repeat a whole transaction.atomic() block, and only where a second time is "
    "refused or changes nothing",
    Kind.PING: "# take the ping out: every statement is preceded by a look that sends nothing",
    Kind.MIDDLEWARE: "# take the middleware out: connections go back to the pool by themselves",
    Kind.CLOSE: "# close_old_connections() may stay: here it only gives the connection back",
}


def _change(kinds: set[Kind], *, ours: bool) -> str:
    lines = [_INSTEAD[kind] for kind in Kind if kind in kinds]
    if not ours:
        lines.insert(0, f"{OUR_ENGINE}  # in place of these")
    return "\n".join(lines)


def _some(found: list[Remedy], kind: Kind) -> str:
    places = [str(remedy) for remedy in found if remedy.kind is kind]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(places[:SHOWN]) + more


def _of_settings(facts: Facts, *, pools: bool) -> list[Stray]:
    strays = facts.project.strays if facts.project else ()
    return [stray for stray in strays if stray.of_a_pool is pools]


def _left(stray: Stray) -> str:
    whose = f" of {stray.belongs}" if stray.belongs else ", which Django does not have,"
    return f"{stray.name}{whose} is in {stray.found}"


RULES = (misplaced_options, leftovers_of_pools, own_remedies)
