"""Hands one mail to the SMTP server, and knows how far it got."""

from __future__ import annotations

import enum
import smtplib
from email.message import EmailMessage


class Outcome(enum.Enum):
    TAKEN = "taken"
    REFUSED = "refused"
    """For good: the address or the mail is at fault."""
    NOT_TAKEN = "not taken"
    """Surely not, and another time it may be."""
    UNKNOWN = "unknown"
    """The mail was on its way when the connection was lost."""


def hand_over(message: EmailMessage, host: str, port: int, timeout: float) -> tuple[Outcome, str]:
    """Return what became of *message*, and why. ``timeout`` in seconds is for each step."""
    text = message.as_bytes()  # Whatever is wrong with the mail shows before anybody is asked.
    try:
        smtp = smtplib.SMTP(host, port, timeout=timeout)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome.NOT_TAKEN, f"SMTP server: {type(error).__name__}"
    try:
        return _speak(smtp, message, text)
    finally:
        # Not by `with`: its QUIT could fail, and hide what became of the mail.
        smtp.close()


def _speak(smtp: smtplib.SMTP, message: EmailMessage, text: bytes) -> tuple[Outcome, str]:
    try:
        smtp.ehlo_or_helo_if_needed()
        for code, _ in (smtp.mail(message["From"]), smtp.rcpt(message["To"])):
            if code >= 400:
                return _by_code(code)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome.NOT_TAKEN, f"SMTP server: {type(error).__name__}"
    try:
        code, _ = smtp.data(text)
    except smtplib.SMTPDataError as error:
        return _by_code(error.smtp_code)  # Refused before the first byte of the mail.
    except (smtplib.SMTPException, OSError) as error:
        return Outcome.UNKNOWN, f"The SMTP server gave no answer: {type(error).__name__}"
    return _by_code(code)


def _by_code(code: int) -> tuple[Outcome, str]:
    if code < 400:
        return Outcome.TAKEN, ""
    return (Outcome.REFUSED if code >= 500 else Outcome.NOT_TAKEN), f"SMTP {code}"
