"""The confusion matrix as text, Markdown and JSON: pure functions of results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django_lifeline.diagnosis.causes import CAUSES
from lifeline_lab.incidents.kinds import NOTHING, Kind
from lifeline_lab.incidents.runner import Result
from lifeline_lab.incidents.scoring import SILENT, UNDECIDED, Score, matrix
from lifeline_lab.last_run import last_run

ORDER = (*CAUSES, NOTHING)
COUNTED = (Score.CORRECT, Score.HONEST, Score.WRONG, Score.SILENT)
VARIED = ("server", "driver", "way", "work", "tls", "pooled", "lane", "read_timeout")
"""What is told of the settings: how often each value was drawn."""


def counted(results: Sequence[Result]) -> list[Result]:
    """Return those that the lab brought about."""
    return [result for result in results if result.score is not Score.FAILED]


def scores(results: Sequence[Result]) -> Counter[Score]:
    """Count the scores."""
    return Counter(result.score for result in counted(results))


def sentences(results: Sequence[Result]) -> list[str]:
    """Say in plain words what it comes to."""
    losses = [result for result in counted(results) if result.setting.truth != NOTHING]
    harmless = [result for result in counted(results) if result.setting.truth == NOTHING]
    found = scores(losses)
    undecided = [result for result in losses if result.score is Score.HONEST]
    lines = [
        f"{len(losses)} incidents: {found[Score.CORRECT]} named correctly, "
        f"{found[Score.HONEST]} left open with the cause among those named, "
        f"{found[Score.WRONG]} wrong, {found[Score.SILENT]} without a diagnosis."
    ]
    if undecided:
        width = sum(len(result.told.causes) for result in undecided) / len(undecided)
        first = sum(result.told.causes[0] == result.setting.truth for result in undecided)
        lines.append(
            f"Where it was left open, it was between {width:.1f} causes on average, and in "
            f"{first} of {len(undecided)} cases the first named was the right one."
        )
    if harmless:
        alarms = sum(result.score is Score.WRONG for result in harmless)
        lines.append(f"{len(harmless)} errors and pauses that are no loss: {alarms} false alarms.")
    failed = len(results) - len(losses) - len(harmless)
    if failed:
        lines.append(f"{failed} incidents could not be brought about and are not counted.")
    return lines


def as_text(results: Sequence[Result]) -> str:
    """Return the matrix for a terminal: per truth, what was named how often."""
    rows = matrix((each.setting.truth, each.told.column) for each in counted(results))
    lines = []
    for truth in _ordered(rows):
        named = ", ".join(f"{name} {count}" for name, count in rows[truth].most_common())
        lines.append(f"{truth:<24}{named}")
    return "\n".join([*lines, "", *sentences(results)])


def as_markdown(
    results: Sequence[Result], seed: int, versions: Mapping[str, str], kinds: Mapping[str, Kind]
) -> str:
    """Return the page of results."""
    parts = [
        "# How well causes are told apart",
        f"`python -m lifeline_lab.incidents --count {len(results)} --seed {seed}` made "
        "these incidents happen, each on a real server, with a real driver, to a process that "
        "uses Django with this engine; then it compared what the engine said with what had been "
        "done. [The lab](../lab.md) says how.",
        " ".join(sentences(results)),
        "## Confusion matrix",
        "Rows are what was done, columns what the engine named. *undecided*: it named several "
        f"causes and said that the evidence fits each. The row *{NOTHING}* holds ordinary errors "
        f"and pauses; the column *{SILENT}* is an error without a diagnosis.",
        _matrix_table(results),
        "## By cause",
        "*Honest* is an undecided diagnosis that has the true cause among those it names. "
        "*Candidates* are those it named, with how often.",
        _cause_table(results),
        "## Undecidable by design",
        "Some incidents leave the same evidence as another cause, at least for whoever looks "
        "from the client. There the right answer is to say so.",
        _alike_table(results, kinds),
        "## What went wrong",
        _wrong_list(results),
        "## Settings",
        "Each incident draws its setting by chance; limits, idle times and sizes are drawn too.",
        _settings_table(results),
        last_run(versions),
    ]
    return "\n\n".join(parts) + "\n"


def _matrix_table(results: Sequence[Result]) -> str:
    rows = matrix((each.setting.truth, each.told.column) for each in counted(results))
    seen = {name for row in rows.values() for name in row}
    columns = [name for name in (*CAUSES, UNDECIDED, SILENT) if name in seen]
    columns += sorted(seen - set(columns))
    head = "| done \\ named | " + " | ".join(columns) + " |"
    lines = [head, "|---|" + "---:|" * len(columns)]
    for truth in _ordered(rows):
        cells = " | ".join(_cell(rows[truth][name], name == truth) for name in columns)
        lines.append(f"| {truth} | {cells} |")
    return "\n".join(lines)


def _cell(count: int, right: bool) -> str:
    if not count:
        return ""
    return f"**{count}**" if right else str(count)


def _cause_table(results: Sequence[Result]) -> str:
    lines = ["| cause | correct | honest | wrong | silent | candidates when undecided |"]
    lines.append("|---|---:|---:|---:|---:|---|")
    groups = _by(counted(results), lambda result: result.setting.truth)
    for truth in _ordered(groups):
        found = scores(groups[truth])
        numbers = " | ".join(str(found[score]) for score in COUNTED)
        lines.append(f"| {truth} | {numbers} | {_candidates(groups[truth])} |")
    return "\n".join(lines)


def _candidates(results: Sequence[Result]) -> str:
    named = Counter(
        " / ".join(result.told.causes) for result in results if result.told.column == UNDECIDED
    )
    return "; ".join(f"{causes} ({count})" for causes, count in named.most_common(3))


def _alike_table(results: Sequence[Result], kinds: Mapping[str, Kind]) -> str:
    lines = ["| incident | looks like | correct | honest | wrong | silent |"]
    lines.append("|---|---|---:|---:|---:|---:|")
    groups = _by(counted(results), lambda result: result.setting.kind)
    for name, some in sorted(groups.items()):
        if kinds[name].alike:
            other = kinds[kinds[name].alike.replace("_", "-")]
            found = scores(some)
            numbers = " | ".join(str(found[score]) for score in COUNTED)
            lines.append(f"| {kinds[name].story} | {other.story} | {numbers} |")
    return "\n".join(lines)


def _wrong_list(results: Sequence[Result]) -> str:
    bad = [each for each in results if each.score in (Score.WRONG, Score.SILENT)]
    if not bad:
        return "Nothing."
    return "\n".join(f"- {describe(each)}" for each in bad)


def describe(result: Result) -> str:
    """Say in a line what was done, and what was named."""
    setting, told = result.setting, result.told
    where = f"{setting.server}, {setting.driver}, {setting.way}{', TLS' if setting.tls else ''}"
    named = " / ".join(told.causes) or "nothing"
    met = ", ".join(result.caller)
    return (
        f"{setting.kind} ({where}, {setting.work}): truth {setting.truth}, named {named}; "
        f"the caller met: {met}"
    )


def _settings_table(results: Sequence[Result]) -> str:
    lines = ["| setting | values |", "|---|---|"]
    for name in VARIED:
        values = Counter(str(getattr(each.setting, name)) for each in counted(results))
        told = ", ".join(f"{value} {count}" for value, count in sorted(values.items()))
        lines.append(f"| {name} | {told} |")
    return "\n".join(lines)


def as_json(results: Sequence[Result], seed: int, versions: Mapping[str, str]) -> str:
    """Return everything as JSON, an incident a line."""
    about = {
        "seed": seed,
        "versions": dict(versions),
        "summary": sentences(results),
        "scores": {score.value: count for score, count in scores(results).items()},
    }
    head = json.dumps(about, indent=1)[:-2]
    lines = ",\n".join(
        json.dumps(_as_plain(each), default=str) for each in sorted(results, key=_number)
    )
    return f'{head},\n "incidents": [\n{lines}\n]}}\n'


def _as_plain(result: Result) -> dict[str, Any]:
    told = result.told
    plain = {
        **result.setting.as_json(),
        "score": result.score.value,
        "named": list(told.causes),
        "confidence": told.confidence,
        "because": told.because,
        "caller": list(result.caller),
        "figures": result.figures,
    }
    # Who wants to know more wants to know why it was not decided.
    return plain if result.score is Score.CORRECT else {**plain, "evidence": dict(told.evidence)}


def _number(result: Result) -> tuple[int, ...]:
    return tuple(int(part) for part in result.setting.seed.split("-"))


def _ordered(names: Mapping[str, Any]) -> list[str]:
    return [name for name in ORDER if name in names]


def _by(results: Sequence[Result], key: Any) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return groups
