"""The timeline, which everybody may see, and what staff may do."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from mail import claims, inbox, planning, rendering
from mail.models import Delivery, Recipient, Schedule, Template
from mail.timeline import today


def timeline(request: HttpRequest) -> HttpResponse:
    return render(request, "mail/timeline.html", today())


def live(request: HttpRequest) -> HttpResponse:
    """The part of the timeline that changes; the page fetches it every second."""
    return render(request, "mail/live.html", today())


@staff_member_required
def arrived(request: HttpRequest) -> HttpResponse:
    return render(request, "mail/inbox.html", {"mails": inbox.arrived()})


@staff_member_required
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(Template, pk=pk)
    recipient = Recipient.objects.first() or Recipient(name="Ada", address="ada@example.org")
    context = {"template": template, "recipient": recipient}
    try:
        values = rendering.variables(recipient, timezone.localtime())
        context["subject"], context["body"] = rendering.render(template, values)
    except rendering.Mistake as error:
        context["mistake"] = str(error)
    return render(request, "mail/preview.html", context)


@staff_member_required
@require_POST
def send_now(request: HttpRequest, pk: int) -> HttpResponse:
    schedule = get_object_or_404(Schedule, pk=pk)
    count = planning.queue(schedule, [timezone.now()], manual=True)
    messages.success(request, f"“{schedule}”: {planning.mails(count)} queued.")
    return redirect("timeline")


@staff_member_required
@require_POST
def run_morning_job(request: HttpRequest) -> HttpResponse:
    count = planning.run_morning_job(timezone.now())
    messages.success(request, f"The morning job: {planning.mails(count)} queued.")
    return redirect("timeline")


@staff_member_required
@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """A person decides about a mail whose outcome is unknown, or that failed."""
    deliveries = Delivery.objects.filter(pk=pk)
    if request.POST.get("decision") == "resend":
        changed = claims.resend(deliveries, timezone.now())
    else:
        changed = claims.mark_sent(deliveries, request.user.get_username())
    messages.success(request, "Done." if changed else "It had been settled already.")
    return redirect("timeline")
