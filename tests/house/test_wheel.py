"""The wheel holds what a site runs, and ``docs/code-map.md`` says what takes the room in it."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "django_lifeline"
TABLE = re.compile(r"^\| (?:`(.+?)/`|the rest) \|.*\| (\d+) \|$", re.MULTILINE)
TOLERANCE = 5
"""Kilobytes by which a part may differ from what is written."""
KINDS = {".py", ".mo", ".html", ".css", ".json", ".typed"}


def files() -> list[Path]:
    """What the wheel takes of the package: all but the sources of the translations."""
    found = [path for path in PACKAGE.rglob("*") if path.is_file()]
    return [path for path in found if path.suffix not in (".po", ".pyc")]


def sizes(parts: list[str]) -> Counter[str]:
    """Kilobytes of each part, packed as a wheel packs them; "" is what is in none of them."""
    found: Counter[str] = Counter()
    for path in files():
        name = path.relative_to(PACKAGE).as_posix()
        part = max((it for it in parts if name.startswith(f"{it}/")), key=len, default="")
        found[part] += len(zlib.compress(path.read_bytes()))
    return Counter({part: round(size / 1000) for part, size in found.items()})


def test_parts_of_the_wheel_are_as_large_as_the_code_map_says() -> None:
    written = {part: int(size) for part, size in TABLE.findall(read("docs/code-map.md"))}
    measured = sizes([part for part in written if part])
    wrong = {
        part: (size, measured[part])
        for part, size in written.items()
        if abs(measured[part] - size) > TOLERANCE
    }
    assert not wrong, f"part: (written, measured): {wrong}"


def test_nothing_is_in_the_package_that_a_site_does_not_read() -> None:
    assert {path.suffix for path in files()} <= KINDS
    assert not [path for path in files() if "tests" in path.parts[len(PACKAGE.parts) :]]


def test_release_refuses_a_wheel_that_is_much_larger() -> None:
    [limit] = re.findall(r"^LARGEST = (\d+_\d+)$", read("scripts/release"), re.MULTILINE)
    # Beside the files: their names, twice, and the list with a checksum of each.
    around = sum(250 for _ in files())
    assert sum(sizes([]).values()) * 1000 + around < int(limit)


def read(name: str) -> str:
    return (ROOT / name).read_text()
