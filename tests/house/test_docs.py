"""The documentation says what the code does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from django_lifeline.core.options import LifelineOptions, PoolOptions
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.doctor.rules import RULES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_every_check_is_described_and_every_description_is_a_check() -> None:
    told = {rule.number for rule in RULES if not rule.number.startswith("D")}
    text = page("checks.md")
    assert set(re.findall(r"^## lifeline\.([EW]\d{3}) ", text, re.MULTILINE)) == told
    assert set(re.findall(r'<a id="lifeline-([ew]\d{3})">', text)) == {n.lower() for n in told}


def test_every_option_is_described_and_every_description_is_an_option() -> None:
    described = set(re.findall(r"^\| `([a-z_]+)` \|", page("settings.md"), re.MULTILINE))
    known = {
        field.name for kind in (PoolOptions, LifelineOptions) for field in dataclasses.fields(kind)
    }
    assert described == known


@pytest.mark.parametrize("kind", [PoolOptions, LifelineOptions])
def test_described_defaults_are_the_codes(kind: type) -> None:
    text = page("settings.md")
    for field in dataclasses.fields(kind):
        if field.name in ("max_lifetime", "max_idle"):
            continue  # They follow the server; the page says how.
        row = re.search(rf"^\| `{field.name}` \| ([^|]+) \|", text, re.MULTILINE)
        assert row is not None
        assert row[1].strip().startswith(str(field.default)), field.name


def test_every_label_of_a_loss_is_described() -> None:
    text = page("errors.md") + page("life-of-a-connection.md")
    for label in Label:
        shown = label.value in text or (label is Label.COMMIT_UNKNOWN and "CommitOutcome" in text)
        assert shown, label


def test_links_between_pages_lead_somewhere() -> None:
    for path in [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        if not path.exists():
            continue
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
