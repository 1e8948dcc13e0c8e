"""What somebody has done about it before: options, other pools, code."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.code import Kind, Remedy
from django_lifeline.diagnosis.doctor.facts import Facts, Stray
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.doctor.rules.lifetimes import OUR_ENGINE
from django_lifeline.diagnosis.saying import Joined, Said, Sayable, lines, listed, say, sentences
from django_lifeline.diagnosis.text import N_

SHOWN = 5


@rule(
    "W007",
    N_("Options stand where nobody reads them"),
    N_(
        "Django ignores what it does not know in an entry of DATABASES, without a word, and the "
        "driver refuses to connect with an option that is not its own."
    ),
)
def misplaced_options(facts: Facts) -> Found | None:
    """A level too high or too low: in the entry, in OPTIONS, in the settings themselves."""
    strays = [*facts.settings.misplaced, *_of_settings(facts, pools=False)]
    if not strays:
        return None
    places = dict.fromkeys(stray.found for stray in strays)
    refused = "OPTIONS" in places
    told = [_standing([one.name for one in strays if one.found == at], at) for at in places]
    move = N_("move {name} to {place}")
    return Found(
        Level.ERROR if refused else Level.WARNING,
        say(N_("{told}."), told=sentences(told)),
        lines(*(remark(move, name=stray.name, place=say(stray.belongs)) for stray in strays)),
        {"options": [stray.name for stray in strays]},
    )


def _standing(names: list[str], place: str) -> Said:
    """Say where some options stand, and what that does."""
    one = len(names) == 1
    if place == "OPTIONS":
        told = (
            N_("{names} stands in {place}, where the driver refuses it")
            if one
            else N_("{names} stand in {place}, where the driver refuses them")
        )
    else:
        told = (
            N_("{names} stands in {place}, where nothing reads it")
            if one
            else N_("{names} stand in {place}, where nothing reads them")
        )
    return say(told, names=Joined(tuple(names), N_(" and ")), place=say(place))


@rule(
    "W008",
    N_("Settings of another pool are left"),
    N_(
        "Whoever reads the settings believes in a pool that is not there; and a package that "
        "patches Django while it is installed goes on doing so under another engine."
    ),
)
def leftovers_of_pools(facts: Facts) -> Found | None:
    """POOL_OPTIONS and its like, CONN_… that Django does not have, apps that patch."""
    strays = [*facts.settings.leftovers, *_of_settings(facts, pools=True)]
    if not strays:
        return None
    size = (
        remark(N_("OPTIONS['pool'] = {'max_size': …} is this engine's"))
        if facts.settings.ours
        else f"# {OUR_ENGINE}"
    )
    names = listed(stray.name for stray in strays)
    return Found(
        Level.WARNING,
        say(N_("{told}."), told=sentences(_left(stray) for stray in strays)),
        lines(remark(N_("remove: {names}"), names=names), size),
        {"left": [stray.name for stray in strays]},
    )


@rule(
    "W009",
    N_("The code has a remedy of its own"),
    N_(
        "A replaced method of Django's hides what the engine does and breaks with the next Django; "
        "a driver's ping reconnects into a session without Django's settings; and whoever repeats "
        "a statement after 2006 or 2013 may store it twice."
    ),
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
        say(N_("{told}."), told=sentences(_told(worth, kind) for kind in Kind if kind in kinds)),
        _change(kinds, ours=ours),
        {kind.value: sum(remedy.kind is kind for remedy in worth) for kind in kinds},
    )


_HARMFUL = frozenset({Kind.PATCH, Kind.REPEAT, Kind.PING, Kind.MIDDLEWARE})
_HARMFUL_ALWAYS = frozenset({Kind.REPEAT, Kind.PING})
_TOLD = {
    Kind.PATCH: N_("a method is replaced"),
    Kind.REPEAT: N_("lost connections are caught by their number"),
    Kind.PING: N_("the driver is pinged"),
    Kind.MIDDLEWARE: N_("a middleware handles connections"),
    Kind.CLOSE: N_("old connections are closed by hand"),
}
_INSTEAD = {
    Kind.PATCH: N_("take the patch out: this engine replaces a dead connection itself"),
    Kind.REPEAT: N_(
        "repeat a whole transaction.atomic() block, and only where a second time is refused or "
        "changes nothing"
    ),
    Kind.PING: N_("take the ping out: every statement is preceded by a look that sends nothing"),
    Kind.MIDDLEWARE: N_("take the middleware out: connections go back to the pool by themselves"),
    Kind.CLOSE: N_("close_old_connections() may stay: here it only gives the connection back"),
}


def _change(kinds: set[Kind], *, ours: bool) -> Sayable:
    change = [remark(_INSTEAD[kind]) for kind in Kind if kind in kinds]
    if not ours:
        change.insert(0, noted(OUR_ENGINE, N_("in place of these")))
    return lines(*change)


def _told(found: list[Remedy], kind: Kind) -> Said:
    places = [str(remedy) for remedy in found if remedy.kind is kind]
    some: Sayable = listed(places[:SHOWN])
    if len(places) > SHOWN:
        some = say(N_("{some} and {count} more"), some=some, count=len(places) - SHOWN)
    return say(N_("{what}: {places}"), what=say(_TOLD[kind]), places=some)


def _of_settings(facts: Facts, *, pools: bool) -> list[Stray]:
    strays = facts.project.strays if facts.project else ()
    return [stray for stray in strays if stray.of_a_pool is pools]


def _left(stray: Stray) -> Said:
    told = (
        N_("{name} of {package} is in {place}")
        if stray.belongs
        else N_("{name}, which Django does not have, is in {place}")
    )
    return say(told, name=stray.name, package=stray.belongs, place=say(stray.found))


RULES = (misplaced_options, leftovers_of_pools, own_remedies)
