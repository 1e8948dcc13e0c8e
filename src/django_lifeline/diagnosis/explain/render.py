"""Shows an explanation as text and as plain values.

Nothing of the log's own text is in it but names of files, functions, classes and tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django_lifeline.diagnosis.causes import Cause
from django_lifeline.diagnosis.explain.advice import Advice, wrapped
from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.groups import Group
from django_lifeline.diagnosis.explain.losses import Loss
from django_lifeline.diagnosis.explain.reference import Number, number_of
from django_lifeline.diagnosis.explain.rules.places import LOST
from django_lifeline.diagnosis.explain.rules.ranking import (
    Confidence,
    Ranked,
    Verdict,
    verdict_on,
)
from django_lifeline.diagnosis.explain.telling import CONTEXTS, STEPS, fate_of, step_of
from django_lifeline.diagnosis.pages import in_language
from django_lifeline.diagnosis.saying import Said, Translate, duration, say, translator
from django_lifeline.diagnosis.text import N_

_ANY_YEAR = 2000

_CONFIDENCE = {
    Confidence.CERTAIN: N_("Cause, as good as certain"),
    Confidence.LIKELY: N_("Causes, the first is likely"),
    Confidence.OPEN: N_("Possible causes; the text does not decide between the first ones"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Losses of the same shape, what is known about them, and their causes."""

    group: Group
    facts: Facts
    verdict: Verdict

    @property
    def cause(self) -> str:
        """The name of the likeliest cause; empty if there is none."""
        return self.verdict.causes[0].cause.name if self.verdict.causes else ""


def as_text(findings: Sequence[Finding], lines: int, lang: str, *, about: bool = False) -> str:
    """Return the whole explanation for a terminal; *about*: the text speaks of the subject."""
    t = translator(lang)
    if not findings:
        nothing = N_("No lost connection to MySQL or MariaDB was found in {lines} lines.")
        told = [say(nothing, lines=lines).told(t)]
        return "\n\n".join(told + ["\n".join(wrapped(t(_ABOUT), ""))] * about)
    total = sum(finding.group.count for finding in findings)
    head = N_("Connections lost or refused: {total}, in groups: {groups}, lines read: {lines}")
    parts = [say(head, total=total, groups=len(findings), lines=lines).told(t)]
    advice = Advice(t)
    for place, finding in enumerate(findings, start=1):
        parts.append("\n".join(_finding_lines(place, finding, advice)))
    return "\n\n".join(parts)


_ABOUT = N_(
    "The text speaks of connections, but has no error with its number. To find what would go "
    "wrong, before it does: python -m django_lifeline doctor --dsn mysql://user@host/database, or "
    "manage.py lifeline doctor in the project. What a number means: python -m django_lifeline "
    "explain 2006."
)


def number_as_text(number: Number, lang: str) -> str:
    """Return what ``explain 2013`` prints."""
    t = translator(lang)
    out = [f"{number.code} {number.name}", *wrapped(t(number.meaning), "   ")]
    verdict = verdict_on(Facts(code=number.code))
    if verdict.causes:
        out += ["", t(N_("Possible causes, the more frequent first:"))]
    for ranked in verdict.causes:
        out += ["", *_cause_lines(ranked.cause, t)]
    return "\n".join(out)


def cause_as_text(cause: Cause, lang: str) -> str:
    """Return what ``explain idle_timeout`` prints."""
    return "\n".join(_cause_lines(cause, translator(lang)))


def number_as_dict(number: Number, lang: str) -> dict[str, object]:
    """Return ``explain 2013 --json``."""
    t = translator(lang)
    return {
        "code": number.code,
        "name": number.name,
        "meaning": t(number.meaning),
        "causes": [
            cause_as_dict(r.cause, lang) for r in verdict_on(Facts(code=number.code)).causes
        ],
    }


def cause_as_dict(cause: Cause, lang: str) -> dict[str, object]:
    """Return a cause as plain values."""
    t = translator(lang)
    return {
        "cause": cause.name,
        "title": t(cause.title),
        "meaning": t(cause.meaning),
        "evidence": t(cause.evidence),
        "fix": t(cause.fix),
        "settle": t(cause.settle) if cause.settle else "",
        "page": in_language(cause.page, t),
    }


def as_dict(finding: Finding, lang: str) -> dict[str, object]:
    """Return one group as plain values."""
    t = translator(lang)
    group, facts, verdict = finding.group, finding.facts, finding.verdict
    number = number_of(facts.code)
    return {
        "code": facts.code,
        "name": number.name,
        "exception": group.first.sign.kind,
        "driver": facts.driver,
        "step": step_of(facts).value,
        "contexts": sorted(context.value for context in facts.contexts),
        "first_query_of_request": facts.first_query,
        "place": group.place.code,
        "jobs": sorted(group.jobs),
        "statements": sorted(group.keywords),
        "count": group.count,
        "processes": facts.processes,
        "most_at_once": facts.at_once,
        "first": {"line": group.first.line, "time": _when(group.first)},
        "last": {"line": group.last.line, "time": _when(group.last)},
        "pause_seconds": [facts.shortest_pause, facts.longest_pause],
        "follows": facts.follows,
        "only_mentioned": not facts.certain,
        "server_log": sorted(event.value for event in facts.events),
        "variables": dict(facts.variables),
        "work": t(fate_of(facts)),
        "confidence": verdict.confidence.value,
        "causes": [_ranked_as_dict(ranked, t, lang) for ranked in verdict.causes],
        "ruled_out": [_ranked_as_dict(ranked, t, lang) for ranked in verdict.ruled_out],
        "settle": [t(r.cause.settle) for r in verdict.open_between if r.cause.settle],
    }


def _ranked_as_dict(ranked: Ranked, t: Translate, lang: str) -> dict[str, object]:
    return cause_as_dict(ranked.cause, lang) | {
        "weight": ranked.weight,
        "for": [reason.told(t) for reason in ranked.reasons],
        "against": [doubt.told(t) for doubt in ranked.doubts],
    }


def _finding_lines(place: int, finding: Finding, advice: Advice) -> Iterator[str]:
    facts, verdict, t = finding.facts, finding.verdict, advice.translate
    number = number_of(facts.code)
    name = f"{facts.code} {number.name}" if facts.code is not None else "Packet sequence number"
    yield f"{place}. {name}   {_count(finding, t)}"
    if not facts.certain:
        yield from wrapped(t(_MENTIONED), "   ")
    yield from _labelled(t(N_("Where")), _where(finding, t))
    if not (facts.label and facts.code in LOST):  # else the engine has noted more than that tells
        yield from _labelled(t(N_("What")), advice.once(place, t(number.meaning)))
    yield from _labelled(t(N_("The work")), t(fate_of(facts)))
    yield f"   {t(_CONFIDENCE[verdict.confidence])}:"
    detailed = [r for r in verdict.causes if r.reasons or r in verdict.open_between]
    for rank, ranked in enumerate(detailed, start=1):
        yield f"   {rank}) {t(ranked.cause.title)} ({ranked.cause.name})"
        yield from _evidence(ranked, t)
    others = [r.cause.name for r in verdict.causes if r not in detailed]
    if others:
        yield from _labelled(t(N_("Also possible with this number")), ", ".join(others))
    if verdict.ruled_out:
        yield f"   {t(N_('Ruled out, or nearly'))}:"
        for ranked in verdict.ruled_out:
            yield f"   -) {t(ranked.cause.title)} ({ranked.cause.name})"
            yield from _evidence(ranked, t)
    yield from _to_do(place, verdict, advice)


_MENTIONED = N_("The text stands there without a number or a class; it may only be spoken of.")


def _count(finding: Finding, t: Translate) -> str:
    group, facts = finding.group, finding.facts
    parts = [say(N_("{count} ×"), count=group.count).told(t)]
    if facts.processes > 1:
        parts.append(say(N_("processes: {count}"), count=facts.processes).told(t))
    first, last = _when(group.first), _when(group.last)
    if first:
        parts.append(first if first == last else f"{first} – {last}")
    line = N_("line {line}") if group.count == 1 else N_("from line {line}")
    parts.append(say(line, line=group.first.line).told(t))
    return ", ".join(parts)


def _where(finding: Finding, t: Translate) -> str:
    group, facts = finding.group, finding.facts
    parts = [t(STEPS[step_of(facts)])]
    parts += [t(text) for context, text in CONTEXTS.items() if context in facts.contexts]
    if facts.first_query:
        parts.append(t(N_("its first query")))
    if facts.driver:
        parts.append(facts.driver)
    parts += sorted(group.jobs)[:3]
    if group.place.code:
        parts.append(group.place.code)
    if group.longest_since_success is not None:
        told = N_("{span} after its process's last success in the log")
        parts.append(say(told, span=duration(group.longest_since_success)).told(t))
    return "; ".join(parts)


def _evidence(ranked: Ranked, t: Translate) -> Iterator[str]:
    for sign, sayings in (("+", ranked.reasons), ("-", ranked.doubts)):
        for said in _distinct(sayings):
            yield from wrapped(said.told(t), f"      {sign} ", "        ")


def _to_do(place: int, verdict: Verdict, advice: Advice) -> Iterator[str]:
    t = advice.translate
    settling = [ranked.cause.settle for ranked in verdict.open_between if ranked.cause.settle]
    if settling:
        yield f"   {t(N_('What would settle it'))}:"
        yield from advice.listed(place, "?", [(text, "") for text in settling])
    changes = [
        (r.cause.fix, in_language(r.cause.page, t))
        for r in verdict.open_between or verdict.causes[:1]
    ]
    if changes:
        yield f"   {t(N_('What to change'))}:"
        yield from advice.listed(place, "*", changes)


def _cause_lines(cause: Cause, t: Translate) -> Iterator[str]:
    yield f"{t(cause.title)} ({cause.name})"
    yield from wrapped(t(cause.meaning), "   ")
    yield from _labelled(t(N_("The evidence")), t(cause.evidence))
    yield from _labelled(t(N_("What to change")), t(cause.fix))
    if cause.settle:
        yield from _labelled(t(N_("What would settle it")), t(cause.settle))
    yield f"   {in_language(cause.page, t)}"


def _labelled(label: str, text: str) -> Iterator[str]:
    yield from wrapped(text, f"   {label}: ", "      ")


def _distinct(sayings: Iterable[Said]) -> Iterator[Said]:
    seen: list[Said] = []
    for said in sayings:
        if said not in seen:
            seen.append(said)
            yield said


def _when(loss: Loss) -> str:
    if loss.time is None:
        return ""
    try:
        moment = datetime.fromtimestamp(loss.time, UTC)
    except (OverflowError, OSError, ValueError):
        return ""
    pattern = "%m-%d %H:%M:%S" if moment.year == _ANY_YEAR else "%Y-%m-%d %H:%M:%S"
    return moment.strftime(pattern) + ("Z" if loss.zoned else "")
