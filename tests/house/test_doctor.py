"""What the doctor finds is described, under the heading that its findings link to."""

from __future__ import annotations

import re
from pathlib import Path

from django_lifeline.diagnosis.doctor.rules import RULES
from django_lifeline.diagnosis.pages import SITE

ROOT = Path(__file__).parents[2]


def slug(heading: str) -> str:
    """The anchor that a code host and the site give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_finding_is_described_and_every_description_is_a_finding() -> None:
    text = (ROOT / "docs" / "doctor.md").read_text()
    described = re.findall(r"^### (D\d.*)$", text, re.MULTILINE)
    known = [rule.heading for rule in RULES if rule.number.startswith("D")]
    assert sorted(described) == sorted(known)


def test_links_of_findings_lead_to_their_headings() -> None:
    for rule in RULES:
        page, _, anchor = rule.page.removeprefix(SITE).partition("#")
        text = (ROOT / "docs" / page).with_suffix(".md").read_text()
        if rule.number.startswith("D"):
            assert anchor == slug(rule.heading)
            assert f"\n### {rule.heading}\n" in text
        else:
            assert f'<a id="{anchor}">' in text


def test_only_what_the_docs_name_is_no_system_check() -> None:
    text = (ROOT / "docs" / "doctor.md").read_text()
    told = text.partition("What only the command finds")[2].partition("\n\n")[0]
    silent = {rule.number for rule in RULES if not rule.as_check}
    # A proxy is looked for with a connection of the doctor's own, which a check does not make.
    assert set(re.findall(r"D\d{3}", told)) == silent | {"D702"}
