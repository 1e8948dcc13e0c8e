"""From a template to a mail."""

from __future__ import annotations

from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template import Context, Engine
from django.utils import timezone

from mail.models import Delivery, Recipient, Template
from markets.models import Quote


class Mistake(ValueError):
    """This mail cannot be made, however often it is tried."""


# Without loaders and libraries: whoever writes a template reads no file and calls no code.
ENGINE = Engine(loaders=[], autoescape=False)
# Any SMTP server understands it.
POLICY = policy.SMTP.clone(cte_type="7bit")


def variables(recipient: Recipient, due: datetime) -> dict[str, Any]:
    """What a template may use; plain values only. *due* is told in its own time zone."""
    gold = Quote.objects.filter(symbol="GOLD").order_by("-day").first()
    return {
        "name": recipient.name,
        "address": recipient.address,
        "due": due,
        "gold": f"{gold.price:,.2f}" if gold else "unknown",
    }


def render(template: Template, values: dict[str, Any]) -> tuple[str, str]:
    """Subject and body. Raises `Mistake` where the template cannot be rendered."""
    context = Context(values, autoescape=False, use_tz=False)
    try:
        subject = ENGINE.from_string(template.subject).render(context)
        body = ENGINE.from_string(template.body).render(context)
    except Exception as error:
        # A filter may raise anything, and would at every further attempt.
        raise Mistake(f"Template: {error}") from error
    return " ".join(subject.split())[:250], body


def message(delivery: Delivery) -> EmailMessage:
    """The mail of a delivery; also sets the subject that the timeline shows.

    Raises `Mistake` where the template or the address makes no mail.
    """
    zone = ZoneInfo(delivery.schedule.zone)
    values = variables(delivery.recipient, delivery.due.astimezone(zone))
    delivery.subject, body = render(delivery.schedule.template, values)
    mail = EmailMessage(policy=POLICY)
    mail["Subject"] = delivery.subject
    mail["From"] = settings.MAIL_FROM
    mail["To"] = in_ascii(delivery.recipient.address)
    mail["Date"] = format_datetime(timezone.now())
    mail["Message-ID"] = delivery.message_id
    if delivery.schedule.slow_seconds:
        # Understood by the local SMTP server of this example only.
        mail["X-Slow-Seconds"] = str(delivery.schedule.slow_seconds)
    mail.set_content(body)
    return mail


def in_ascii(address: str) -> str:
    """``ada@bücher.example`` as every SMTP server understands it."""
    who, _, domain = address.rpartition("@")
    try:
        return f"{who}@{domain.encode('idna').decode()}"
    except UnicodeError as error:
        raise Mistake(f"Address: {error}") from error
