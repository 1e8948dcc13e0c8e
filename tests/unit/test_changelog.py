"""The changelog is made of the fragments."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def changelog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``scripts/changelog`` as a module, for a project of its own in *tmp_path*."""
    loader = importlib.machinery.SourceFileLoader("changelog", str(ROOT / "scripts" / "changelog"))
    spec = importlib.util.spec_from_loader("changelog", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    folder = tmp_path / "changes"
    folder.mkdir()
    (folder / "README.md").write_text("How to write one.\n")
    (folder / "pool.added.md").write_text("A pool,\nsee [settings](../docs/settings.md).\n")
    (folder / "leak.fixed.md").write_text("No leak.\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## 0.9 (2026-01-01)\n\n* Old.\n")
    return module


def test_section_has_the_fragments_by_kind_and_comes_before_the_older(
    changelog: ModuleType, tmp_path: Path
) -> None:
    assert changelog.main([]) == 0
    assert (tmp_path / "CHANGELOG.md").read_text() == (
        "# Changes\n\n## 1.0.0 (not released yet)\n\n### Added\n\n"
        "* A pool, see [settings](docs/settings.md).\n\n### Fixed\n\n* No leak.\n\n"
        "## 0.9 (2026-01-01)\n\n* Old.\n"
    )
    assert len(list((tmp_path / "changes").iterdir())) == 3


def test_what_was_not_released_is_replaced_and_a_release_takes_the_fragments(
    changelog: ModuleType, tmp_path: Path
) -> None:
    assert changelog.main([]) == 0
    assert changelog.main(["1.0.0", "2026-12-24"]) == 0
    text = (tmp_path / "CHANGELOG.md").read_text()
    assert text.count("A pool") == 1
    assert "## 1.0.0 (2026-12-24)\n" in text and "not released" not in text
    assert [path.name for path in (tmp_path / "changes").iterdir()] == ["README.md"]


def test_fragment_of_no_kind_is_refused(
    changelog: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "changes" / "what.md").write_text("What?\n")
    assert changelog.main([]) == 1
    assert "what.md" in capsys.readouterr().err


def test_every_fragment_of_the_project_has_a_kind_and_says_something(changelog: ModuleType) -> None:
    found = changelog.fragments(ROOT / "changes")
    assert all(all(texts) for texts in found.values())
