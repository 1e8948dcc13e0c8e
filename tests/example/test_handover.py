"""What a sender may believe about a mail, for every way an SMTP server can behave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from mail.handover import Outcome, hand_over

GREETING = "220 hello"
CLOSE = ""
FINE = {"EHLO": "250 you", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", ".": "250 ok"}


@contextmanager
def smtp_server(answers: dict[str, str], greeting: str = GREETING) -> Iterator[int]:
    """Answers each command by its first word; an empty answer closes the connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(listening, answers, greeting))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join()
        listening.close()


def _serve(listening: socket.socket, answers: dict[str, str], greeting: str) -> None:
    end, _ = listening.accept()
    with end, end.makefile("rw", newline="\r\n") as file:
        file.write(greeting + "\n")
        file.flush()
        in_mail = False
        for text in file:
            word = text.strip().split(" ")[0].split(":")[0].upper()
            if in_mail and word != ".":
                continue
            answer = answers.get(word, "221 bye" if word == "QUIT" else CLOSE)
            if not answer:
                return
            in_mail = answer.startswith("354")
            file.write(answer + "\n")
            file.flush()


def outcome(port: int) -> Outcome:
    mail = EmailMessage()
    mail["From"], mail["To"] = "a@example.org", "b@example.org"
    mail.set_content("Good morning")
    return hand_over(mail, "127.0.0.1", port, timeout=5)[0]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Outcome.TAKEN),
        ({"QUIT": CLOSE}, Outcome.TAKEN),
        ({"EHLO": CLOSE, "HELO": CLOSE}, Outcome.NOT_TAKEN),
        ({"MAIL": "451 later"}, Outcome.NOT_TAKEN),
        ({"RCPT": CLOSE}, Outcome.NOT_TAKEN),
        ({"RCPT": "550 nobody"}, Outcome.REFUSED),
        ({"DATA": "452 full"}, Outcome.NOT_TAKEN),
        ({".": "554 no"}, Outcome.REFUSED),
        ({".": "451 later"}, Outcome.NOT_TAKEN),
        ({".": CLOSE}, Outcome.UNKNOWN),
    ],
    ids=str,
)
def test_outcome_follows_from_how_far_the_mail_got(
    changed: dict[str, str], expected: Outcome
) -> None:
    with smtp_server({**FINE, **changed}) as port:
        assert outcome(port) is expected


def test_server_that_is_not_there_or_does_not_want_us_did_not_take_the_mail() -> None:
    with smtp_server(FINE, greeting="421 too busy") as port:
        assert outcome(port) is Outcome.NOT_TAKEN
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert outcome(port) is Outcome.NOT_TAKEN
