"""Fills a server's time zone tables, without which many of Django's tests are skipped or fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from lifeline_lab.servers import Server

# What a server's TIMESTAMP can hold; it converts nothing beyond.
FIRST, LAST = 0, 2**31 - 1
STEP = 20 * 86400
"""Seconds. No zone changes its clocks there and back in less."""
ROWS_PER_INSERT = 5000

Row = tuple[object, ...]


def load_time_zones(server: Server, tzdata: Path) -> None:
    """Load every zone of the ``tzdata`` package, which lies in the folder given."""
    zones: list[Row] = []
    names: list[Row] = []
    types: list[Row] = []
    transitions: list[Row] = []
    for number, name in enumerate((tzdata / "zones").read_text().split(), 1):
        zones.append((number, "N"))
        names.append((name, number))
        with (tzdata / "zoneinfo" / name).open("rb") as file:
            changes = list(_changes(ZoneInfo.from_file(file)))
        kinds = {kind: place for place, kind in enumerate(dict.fromkeys(k for _, k in changes))}
        types += [(number, place, *kind) for kind, place in kinds.items()]
        transitions += [(number, moment, kinds[kind]) for moment, kind in changes]
    for table, rows in (
        ("time_zone (Time_zone_id, Use_leap_seconds)", zones),
        ("time_zone_name (Name, Time_zone_id)", names),
        (
            "time_zone_transition_type"
            " (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation)",
            types,
        ),
        ("time_zone_transition (Time_zone_id, Transition_time, Transition_type_id)", transitions),
    ):
        for start in range(0, len(rows), ROWS_PER_INSERT):
            # Numbers and short names only, which Python writes as SQL does.
            values = ",".join(map(repr, rows[start : start + ROWS_PER_INSERT]))
            server.query(f"INSERT INTO mysql.{table} VALUES {values}")


def _changes(zone: ZoneInfo) -> Iterator[tuple[int, Row]]:
    """Yield from when on which offset, summer time and abbreviation hold."""

    def kind(moment: int) -> Row:
        local = datetime.fromtimestamp(moment, zone)
        offset, summer = local.utcoffset(), local.dst()
        assert offset is not None
        return int(offset.total_seconds()), int(bool(summer)), str(local.tzname())

    before = kind(FIRST)
    yield FIRST, before
    for start in range(FIRST, LAST - STEP, STEP):
        if kind(start + STEP) == before:
            continue
        low, high = start, start + STEP
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if kind(middle) == before else (low, middle)
        before = kind(high)
        yield high, before
