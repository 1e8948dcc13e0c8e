"""The reference says what the code does."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import logging
import re
from pathlib import Path

import pytest
from django.dispatch import Signal

import django_lifeline
from django_lifeline import commands, exceptions, signals, testing
from django_lifeline.backends.notices import Lost, publish
from django_lifeline.core.options import LifelineOptions, PoolOptions
from django_lifeline.core.pool.stats import PoolStats
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.doctor.rules import RULES
from django_lifeline.diagnosis.model import Diagnosis
from django_lifeline.scopes import Pools, connection_scope
from lifeline_lab.__main__ import parser as lab_parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "django_lifeline"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same level."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.M | re.S)
    assert found is not None, heading
    return found[2]


def rows(text: str) -> list[str]:
    """Return the names in the first column of the tables."""
    return re.findall(r"^\| `([A-Za-z_]+)` \|", text, re.MULTILINE)


def classes(module: object) -> set[str]:
    name = getattr(module, "__name__", "")
    return {
        key
        for key, kind in vars(module).items()
        if isinstance(kind, type) and kind.__module__ == name
    }


def test_every_check_is_described_and_every_description_is_a_check() -> None:
    told = {rule.number for rule in RULES if not rule.number.startswith("D")}
    text = page("checks.md")
    assert set(re.findall(r"^## lifeline\.([EW]\d{3}) ", text, re.MULTILINE)) == told
    assert set(re.findall(r'<a id="lifeline-([ew]\d{3})">', text)) == {n.lower() for n in told}


def test_every_option_is_described_and_every_description_is_an_option() -> None:
    described = {name for name in rows(page("settings.md")) if name.islower()}
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
    text = page("errors.md") + page("what-may-be-repeated.md")
    for label in Label:
        shown = label.value in text or (label is Label.COMMIT_UNKNOWN and "CommitOutcome" in text)
        assert shown, label


def test_api_describes_what_the_package_offers() -> None:
    text = page("api.md")
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert headings == [*django_lifeline.__all__, "exceptions", "signals", "testing"]


def test_described_signature_of_connection_scope_is_the_codes() -> None:
    taken = inspect.signature(connection_scope).parameters.values()
    told = ", ".join(str(one.replace(annotation=one.empty)) for one in taken)
    assert f"connection_scope({told})" in section(page("api.md"), "connection_scope")


def test_described_methods_of_pools_are_the_codes() -> None:
    text = section(page("api.md"), "pools")
    assert not [name for name in vars(Pools) if not name.startswith("_")]
    assert re.findall(r"^### (\w+)\(\)$", text, re.MULTILINE) == ["stats"]
    assert rows(text) == [field.name for field in dataclasses.fields(PoolStats)]


def test_described_helpers_for_tests_are_the_codes() -> None:
    assert set(rows(section(page("api.md"), "testing"))) == classes(testing)


def test_every_error_is_described_with_its_number() -> None:
    text = page("errors.md")
    raised = classes(exceptions) - {"LifelineError"}
    assert raised <= set(re.findall(r"^## (\w+)$", text, re.MULTILINE))
    numbers = {value for value in vars(exceptions).values() if type(value) is int}
    assert numbers == set(map(int, re.findall(r"^\| (\d{4,5}) \|", text, re.MULTILINE)))


def test_every_signal_is_described_with_its_arguments() -> None:
    known = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page("signals.md"), re.MULTILINE))
    assert set(told) == known
    code = (SOURCE / "signals.py").read_text()
    for name, arguments in told.items():
        sent = re.search(rf"{name}\.send_robust\((.*?)\)$", code, re.MULTILINE | re.DOTALL)
        assert sent is not None
        assert re.findall(r"\w+", arguments) == re.findall(r"(\w+)=", sent[1]), name


DIAGNOSIS = Diagnosis(cause="killed", label=Label.NOT_EXECUTED, advice="Run it again.")


def test_every_field_of_a_diagnosis_is_described() -> None:
    text = section(page("errors.md"), "The diagnosis")
    columns = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(columns))) == set(DIAGNOSIS.as_dict())


def test_every_field_of_a_record_is_described(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="django_lifeline"):
        publish(Lost(pool="shop@db/shop", alias="default", diagnosis=DIAGNOSIS))
    [record] = caplog.records
    plain = vars(logging.makeLogRecord({}))
    fields = set(vars(record)) - set(plain) - {"message", "asctime"}
    text = section(page("signals.md"), "Logs")
    told = re.search(r"as fields of the record: (.*?)\.\n", text, re.DOTALL)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == fields


def options_of(command: str) -> set[str]:
    """Return the long options that a command takes."""
    if command == "lab":
        parser = lab_parser()
    else:
        parser = argparse.ArgumentParser()
        commands.load(command).add_arguments(parser)
    taken = {option for action in parser._actions for option in action.option_strings}
    return {option for option in taken if option.startswith("--")} - {"--help"}


@pytest.mark.parametrize("command", [*commands.COMMANDS, "lab"])
def test_options_of_a_command_are_described_as_it_takes_them(command: str) -> None:
    text = page(f"{command}.md") if (DOCS / f"{command}.md").exists() else ""
    text += section(page("commands.md"), command)
    listed = re.findall(r"^\| (`--[^|]+) \|", text, re.MULTILINE)
    described = {option for row in listed for option in re.findall(r"`(--[a-z-]+)", row)}
    assert described == options_of(command)


def test_every_command_has_its_section() -> None:
    found = re.findall(r"^## (\w+)$", page("commands.md"), re.MULTILINE)
    assert found == [*commands.COMMANDS, "lab"]
