"""The catalogues of translations are complete, and compiled as they stand."""

from __future__ import annotations

import gettext
import importlib.machinery
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """``scripts/messages`` as a module; its name has no ending that import would take."""
    loader = importlib.machinery.SourceFileLoader("messages", str(ROOT / "scripts" / "messages"))
    spec = importlib.util.spec_from_loader("messages", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_every_marked_text_is_translated_and_compiled(
    messages: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    status = messages.main(["--check"])
    assert status == 0, f"{capsys.readouterr().out}\nrun scripts/messages, then translate"


def test_gettext_reads_what_was_compiled(messages: ModuleType) -> None:
    told = gettext.translation("django_lifeline", messages.LOCALE, languages=["zh_Hans"]).gettext
    pairs = messages.read_po(messages.LOCALE / "zh_Hans/LC_MESSAGES/django_lifeline.po")
    assert {text: told(text) for text in pairs} == pairs


def test_translations_have_the_same_blanks_to_fill_in(messages: ModuleType) -> None:
    for path in messages.LOCALE.glob("*/LC_MESSAGES/*.po"):
        for text, translation in messages.read_po(path).items():
            for pattern in (r"\{\w+\}", r"\b[a-z]+_[a-z_]+\b", r"\d{3,}"):
                wanted = set(re.findall(pattern, text, re.ASCII))
                assert wanted <= set(re.findall(pattern, translation, re.ASCII)), text


def test_a_text_without_translation_is_noticed(
    messages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "marked", lambda: {"A text nobody has translated.": ["a.py"]})
    assert messages.main(["--check"]) == 1
