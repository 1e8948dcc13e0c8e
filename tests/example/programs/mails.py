"""One step of a test, in a process of its own: the first word says which. Prints JSON."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from datetime import time, timedelta
from types import SimpleNamespace
from typing import Any

import django

django.setup()

from django.contrib import admin  # noqa: E402
from django.utils import timezone  # noqa: E402

from mail import claims, planning, sending  # noqa: E402
from mail.models import Delivery, Recipient, Schedule, State, Template  # noqa: E402

LATER = timedelta(hours=1)
DIED = 9


def begin(people: str) -> None:
    """An empty timeline and one daily schedule that missed its last three days."""
    for model in (Delivery, Schedule, Template, Recipient):
        model.objects.all().delete()
    template = Template.objects.create(name="t", subject="Hello {{ name }}", body="{{ due }}")
    schedule = Schedule(name="s", template=template, kind="daily", at=time(0), zone="UTC")
    schedule.make_up_all = True
    schedule.plan_anew(timezone.now() - timedelta(days=3))
    schedule.save()
    for n in range(int(people)):
        recipient = Recipient.objects.create(name=f"r{n}", address=f"r{n}@example.org")
        schedule.recipients.add(recipient)


def only_one() -> None:
    """A timeline with a single mail to claim."""
    begin("1")
    plan()
    Delivery.objects.exclude(pk=Delivery.objects.earliest("pk").pk).delete()


def plan() -> int:
    return planning.plan(timezone.now())


def plan_again() -> int:
    """As after a scheduler that did not learn whether its COMMIT was stored."""
    begin("5")
    before = Schedule.objects.get().next_due
    plan()
    Schedule.objects.update(next_due=before)
    plan()
    return Delivery.objects.count()


def send() -> int:
    return sending.send_all()


def die_while_preparing() -> None:
    sending.message = lambda delivery: os._exit(DIED)
    sending.send_all()


def die_before_storing() -> None:
    claims.finish = lambda *args: os._exit(DIED)
    sending.send_all()


def expire() -> int:
    """As if the claims had been made long ago."""
    Delivery.objects.update(deadline=timezone.now() - LATER)
    return claims.expire(timezone.now())


def states() -> dict[str, int]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def wake_up_late() -> dict[str, Any]:
    """Two senders; the first is held up until its claim has expired and the second has it."""
    only_one()
    now = timezone.now()
    first = claims.claim("first", now)
    claims.expire(now + LATER)
    second = claims.claim("second", now + LATER)
    return {
        "first may send": claims.begin(first, now),
        "second may send": claims.begin(second, now),
        "second may send, asked again": claims.begin(second, now),
        "first may store": claims.finish(first, State.SENT, "", now),
    }


def answer_late() -> list[str]:
    """The SMTP server's answer comes after the mail was taken for unknown."""
    only_one()
    now = timezone.now()
    mail = claims.claim("one", now)
    claims.begin(mail, now)
    claims.expire(now + LATER)
    told = [_state(mail)]
    claims.finish(mail, State.SENT, "", now)
    told.append(_state(mail))
    only_one()
    now = timezone.now()
    mail = claims.claim("two", now)
    claims.begin(mail, now)
    claims.expire(now + LATER)
    claims.try_later(mail, 1, "SMTP 451", now)
    return [*told, _state(mail)]


def decide() -> list[Any]:
    """A person has an unknown mail sent again; the sender that comes back late changes nothing."""
    only_one()
    now = timezone.now()
    mail = claims.claim("one", now)
    claims.begin(mail, now)
    claims.expire(now + LATER)
    chosen = Delivery.objects.filter(pk=mail.pk)
    again = claims.resend(chosen, now)
    late = claims.finish(mail, State.SENT, "", now)
    return [again, _state(mail), late, claims.resend(chosen, now)]


def put_off() -> list[Any]:
    """What the SMTP server does not take is tried again a few times, then it has failed."""
    only_one()
    now, told = timezone.now(), []
    for attempt in range(1, claims.ATTEMPTS + 1):
        mail = claims.claim("one", now + LATER * attempt)
        claims.begin(mail, now)
        claims.try_later(mail, mail.attempts + 1, "SMTP 451", now)
        told.append(_state(mail))
    return told


def mistake() -> list[Any]:
    """What can never be made into a mail fails at once, and only that."""
    told = []
    for subject in ("{{ name|no_such_filter }}", "{{ name|center:'wide' }}"):
        only_one()
        Template.objects.update(subject=subject)
        sending.send_all()
        told.append([*states(), *Delivery.objects.values_list("reason", flat=True)])
    return told


def far_address() -> dict[str, int]:
    """A domain with letters that SMTP does not know."""
    only_one()
    Recipient.objects.update(address="ada@bücher.example")
    sending.send_all()
    return states()


def rule_without_sense() -> int:
    """It was stored past the admin; the schedules after it are planned."""
    begin("5")
    broken = Schedule(name="broken", template=Template.objects.get(), kind="daily", at=time(0))
    Schedule.objects.filter(name="s").update(kind="cron", cron="never")
    broken.plan_anew(timezone.now() - timedelta(days=1))
    broken.save()
    broken.recipients.set(Recipient.objects.all())
    return plan()


def edit_while_due() -> list[int]:
    """Staff changes the rule after a mail became due and before a scheduler looked."""
    begin("5")
    schedule = Schedule.objects.get()
    schedule.at = time(23, 59)
    form = SimpleNamespace(changed_data=["at"])
    admin.site._registry[Schedule].save_model(None, schedule, form, change=True)
    left = Schedule.objects.filter(next_due__lte=timezone.now()).count()
    return [Delivery.objects.count(), left]


def long_standstill() -> list[Any]:
    """More due times than one transaction takes: only the last is made up, or all are."""
    told = []
    planning.AT_ONCE = 10
    for make_up_all in (False, True):
        begin("1")
        now = timezone.now().replace(second=30)
        schedule = Schedule.objects.get()
        schedule.kind, schedule.minutes, schedule.make_up_all = "every", 1, make_up_all
        schedule.plan_anew(now - timedelta(minutes=34))
        schedule.save()
        planning.plan(now)
        latest = Delivery.objects.latest("due").due
        told.append([Delivery.objects.count(), now - latest < timedelta(minutes=1)])
    return told


def _state(mail: Delivery) -> str:
    return Delivery.objects.get(pk=mail.pk).state


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
