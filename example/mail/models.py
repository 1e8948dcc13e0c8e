"""What is stored: who gets which mail when, and what became of each one."""

from __future__ import annotations

import zoneinfo
from datetime import datetime

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils import timezone

from mail import rules


def local_zone() -> str:
    return settings.TIME_ZONE


class Recipient(models.Model):
    name = models.CharField(max_length=100)
    address = models.EmailField(unique=True)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"


class Template(models.Model):
    name = models.CharField(max_length=100, unique=True)
    subject = models.CharField(max_length=200)
    body = models.TextField(
        help_text="Variables: {{ name }}, {{ address }}, {{ due }}, {{ gold }}. "
        "Django's template language, without {% load %} and {% include %}."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The preview."""
        return reverse("preview", args=[self.pk])


class Schedule(models.Model):
    """Who gets which mail when."""

    class Kind(models.TextChoices):
        DAILY = "daily", "daily at a time"
        EVERY = "every", "every n minutes"
        CRON = "cron", "cron rule"

    RULE_FIELDS = frozenset(["kind", "at", "minutes", "cron", "zone", "active"])

    name = models.CharField(max_length=100, unique=True)
    template = models.ForeignKey(Template, on_delete=models.PROTECT)
    recipients = models.ManyToManyField(Recipient, blank=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DAILY)
    at = models.TimeField("daily at", null=True, blank=True)
    minutes = models.PositiveIntegerField("every … minutes", null=True, blank=True)
    cron = models.CharField("cron rule", max_length=100, blank=True)
    zone = models.CharField("time zone", max_length=50, default=local_zone)
    active = models.BooleanField(default=True)
    make_up_all = models.BooleanField(
        default=False,
        help_text="After a standstill send for every due time that was missed, not only the last.",
    )
    slow_seconds = models.PositiveIntegerField(
        default=0, help_text="How long the local SMTP server takes over each of these mails."
    )
    next_due = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    @admin.display(description="rule")
    def told(self) -> str:
        """The rule in words."""
        if self.kind == self.Kind.CRON:
            return f"cron {self.cron}"
        if self.kind == self.Kind.EVERY:
            return "every minute" if self.minutes == 1 else f"every {self.minutes} minutes"
        return f"daily at {self.at:%H:%M}"

    def rule(self) -> rules.Rule:
        """The rule, as values. Raises ``ValueError`` where it is incomplete or makes no sense."""
        try:
            zone = zoneinfo.ZoneInfo(self.zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"There is no time zone {self.zone!r}.") from None
        if self.kind == self.Kind.CRON:
            return rules.Cron(self.cron, zone)
        if self.kind == self.Kind.EVERY:
            if not self.minutes:
                raise ValueError("Every how many minutes?")
            return rules.Every(self.minutes)
        if self.at is None:
            raise ValueError("Daily at what time?")
        return rules.Daily(self.at, zone)

    def clean(self) -> None:
        try:
            self.rule().after(timezone.now())
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def plan_anew(self, now: datetime) -> None:
        """Begin again from *now*, after the rule was made or changed."""
        self.next_due = self.rule().after(now) if self.active else None


class State(models.TextChoices):
    """What became of a mail. Only `QUEUED` and `CLAIMED` are ever worked on by a machine."""

    QUEUED = "queued", "queued"
    CLAIMED = "claimed", "being prepared"
    SENDING = "sending", "being sent"
    SENT = "sent", "sent"
    FAILED = "failed", "failed"
    UNKNOWN = "unknown", "outcome unknown"


class Delivery(models.Model):
    """One mail to one recipient: a line of the timeline, and what the senders work from."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="deliveries")
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE)
    due = models.DateTimeField()
    manual = models.BooleanField(default=False)
    message_id = models.CharField(max_length=100, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    claim = models.CharField(max_length=100, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    subject = models.CharField(max_length=250, blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-due", "-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            # However many schedulers look at once: one mail per due time and recipient.
            models.UniqueConstraint(fields=["schedule", "due", "recipient"], name="one_per_due")
        ]
        indexes = [
            models.Index(fields=["state", "not_before"], name="what_to_send"),
            models.Index(fields=["due"], name="timeline"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} to {self.recipient_id}, due {self.due:%Y-%m-%d %H:%M:%S}"

    @property
    def seconds(self) -> float | None:
        """How long sending took."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
