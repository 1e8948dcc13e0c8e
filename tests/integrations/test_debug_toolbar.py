"""django-debug-toolbar: the panel in a page of a real toolbar."""

from __future__ import annotations

from tests.integrations.conftest import Run, needs


def test_panel_shows_the_pools_and_what_the_request_lost(run: Run) -> None:
    needs("debug_toolbar", "django-debug-toolbar")
    said = run("debug_page")
    line, text = said["quiet"]
    assert line == "0 lost"
    assert said["pool"] in text
    assert "<p>None.</p>" in text
    line, text = said["lost"]
    assert line == "1 lost"
    assert ", restored: " in text
    assert "killed" in text
