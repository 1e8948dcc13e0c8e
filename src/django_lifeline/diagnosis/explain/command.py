"""``explain``: which connections a log tells were lost, why, and what to change."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TextIO

from django_lifeline.diagnosis import saying
from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.doctor import finding
from django_lifeline.diagnosis.doctor.rules import rule_named
from django_lifeline.diagnosis.explain import render, server
from django_lifeline.diagnosis.explain.explanation import Explanation, Reader
from django_lifeline.diagnosis.explain.reference import NUMBERS, number_named
from django_lifeline.diagnosis.explain.source import Progress, lines_of, opened
from django_lifeline.diagnosis.text import N_
from django_lifeline.diagnosis.usage import UsageError, add_language_argument

HELP = "say why connections were lost, from a log, a traceback or an error number"

_WAITING = N_("Paste the log or traceback, then press Ctrl-D. (explain --help shows more.)")

FOUND = 0
NOTHING_FOUND = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``explain`` takes."""
    parser.add_argument(
        "subject",
        nargs="?",
        default="-",
        metavar="FILE|NUMBER|-",
        help="a log or traceback (also .gz), standard input, or a number or name such as 2013, "
        "CR_SERVER_LOST, idle_timeout, lifeline.D101; a file named like a number is ./2013",
    )
    parser.add_argument(
        "--dsn",
        metavar="mysql://user:password@host:port",
        help="read this server's variables, and use them",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_language_argument(parser)


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Explain; return 0, or 1 when the input tells of no lost connection."""
    lang = options.lang or saying.preferred_language()
    told = _known_word(options.subject, lang)
    if told is not None:
        text, values = told
        print(json.dumps(values, ensure_ascii=False, indent=2) if options.json else text, file=out)
        return FOUND
    explanation = _explained(options, lang)
    if options.json:
        print(json.dumps(explanation.as_dict(), ensure_ascii=False, indent=2), file=out)
    else:
        print(explanation, file=out)
    return FOUND if explanation.findings else NOTHING_FOUND


def _known_word(word: str, lang: str) -> tuple[str, Mapping[str, object]] | None:
    number = number_named(word)
    if number is not None:
        return render.number_as_text(number, lang), render.number_as_dict(number, lang)
    if word in CAUSES:
        cause = CAUSES[word]
        return render.cause_as_text(cause, lang), render.cause_as_dict(cause, lang)
    rule = rule_named(word)
    if rule is not None:
        t = saying.translator(lang)
        return finding.rule_as_text(rule, t), finding.rule_as_dict(rule, t)
    if word.isascii() and word.isdigit() and len(word) <= 5:
        known = " ".join(str(code) for code in sorted(NUMBERS))
        raise UsageError(f"{word} is not a number about connections; these are: {known}")
    return None


def _explained(options: argparse.Namespace, lang: str) -> Explanation:
    live = server.ask(options.dsn) if options.dsn else None
    translate = saying.translator(lang)
    reader = Reader()
    if options.subject == "-" and sys.stdin.isatty():
        print(translate(_WAITING), file=sys.stderr)
    with opened(options.subject) as raw:
        lines = lines_of(raw, lambda text: print(translate(text), file=sys.stderr))
        reader.read(Progress(raw).over(lines))
    return reader.explanation(lang, live)
