"""No mail twice and none forgotten, on a real server with real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.example.conftest import EXAMPLE, PROGRAMS
from tests.fixtures.drivers import eventually

pytestmark = [pytest.mark.server]
PEOPLE = 8
MAILS = 3 * PEOPLE
DIED = 9


@dataclass(frozen=True)
class Mails:
    """Runs steps of ``programs/mails.py`` and counts what arrives."""

    environment: dict[str, str]
    inbox: Path

    def __call__(self, *words: str, died: bool = False) -> Any:
        return self.at_once(1, *words, died=died)[0]

    def at_once(self, count: int, *words: str, died: bool = False) -> list[Any]:
        """The same step in several processes at the same time."""
        command = [sys.executable, str(PROGRAMS / "mails.py"), *words]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started = [subprocess.Popen(command, env=self.environment, **pipes) for _ in range(count)]
        said = [process.communicate(timeout=60) for process in started]
        assert {process.returncode for process in started} == {DIED if died else 0}, said
        return [None if died else json.loads(out.splitlines()[-1]) for out, _ in said]

    def arrived(self) -> Counter[str]:
        """How often each Message-ID has come."""
        lines = self.inbox.read_text().splitlines() if self.inbox.exists() else []
        return Counter(json.loads(line)["message_id"] for line in lines)


@pytest.fixture
def mails(mail_environment: dict[str, str], tmp_path: Path) -> Iterator[Mails]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    inbox = tmp_path / "mails.jsonl"
    words = [sys.executable, str(EXAMPLE / "sink.py"), "--port", str(port), "--file", str(inbox)]
    with subprocess.Popen(words) as sink, socket.socket() as probe:
        try:
            eventually(lambda: probe.connect_ex(("127.0.0.1", port)) == 0)
            yield Mails({**mail_environment, "SMTP_PORT": str(port)}, inbox)
        finally:
            sink.terminate()


def test_schedulers_and_senders_at_once_send_each_mail_once(mails: Mails) -> None:
    mails("begin", str(PEOPLE))
    assert sum(mails.at_once(3, "plan")) == MAILS
    assert mails("states") == {"queued": MAILS}

    worked = mails.at_once(3, "send")

    assert sum(worked) == MAILS
    assert mails("states") == {"sent": MAILS}
    assert sorted(mails.arrived().values()) == [1] * MAILS


def test_sender_that_dies_before_the_mail_left_leaves_it_to_another(mails: Mails) -> None:
    mails("begin", str(PEOPLE))
    mails("plan")
    mails("die_while_preparing", died=True)
    assert mails("states") == {"queued": MAILS - 1, "claimed": 1}

    assert mails("expire") == 1
    mails("send")

    assert mails("states") == {"sent": MAILS}
    assert sorted(mails.arrived().values()) == [1] * MAILS


def test_sender_that_dies_before_storing_leaves_an_unknown_outcome_that_is_not_sent_again(
    mails: Mails,
) -> None:
    mails("begin", str(PEOPLE))
    mails("plan")
    mails("die_before_storing", died=True)
    assert mails("expire") == 1
    mails("send")

    assert mails("states") == {"sent": MAILS - 1, "unknown": 1}
    assert sorted(mails.arrived().values()) == [1] * MAILS


def test_sender_that_wakes_up_late_sends_nothing(mails: Mails) -> None:
    assert mails("wake_up_late") == {
        "first may send": False,
        "second may send": True,
        "second may send, asked again": True,
        "first may store": False,
    }


STEPS: dict[str, Callable[[Any], bool]] = {
    "plan_again": lambda said: said == 3 * 5,
    "answer_late": lambda said: said == ["unknown", "sent", "queued"],
    "decide": lambda said: said == [1, "queued", False, 0],
    "put_off": lambda said: said == ["queued"] * 4 + ["failed"],
    "mistake": lambda said: (
        [state for state, _ in said] == ["failed"] * 2 and "no_such_filter" in said[0][1]
    ),
    "far_address": lambda said: said == {"sent": 1},
    "rule_without_sense": lambda said: said == 5,
    "edit_while_due": lambda said: said == [3 * 5, 0],
    "long_standstill": lambda said: said == [[1, True], [34, True]],
}


@pytest.mark.parametrize("step", STEPS)
def test_outcome_is_stored_as_what_is_known(mails: Mails, step: str) -> None:
    said = mails(step)
    assert STEPS[step](said), said
