"""A statement larger than the server takes."""

from __future__ import annotations

from lifeline_lab.judges import every, failed_as, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="oversized-packet",
    title="Packet over max_allowed_packet",
    story="An import meets one large document; it fails, and so does every document after it.",
    place="bare script",
    cause="oversized packet",
    program=("oversized.py",),
    judge=every(
        failed_as("store too large", "DatabaseError"),
        nothing_failed(save=["store too large"]),
        stored("document", [("before", 10), ("after", 20), ("last", 30)]),
    ),
    variables={"max_allowed_packet": 1048576},
    quick=True,
)
