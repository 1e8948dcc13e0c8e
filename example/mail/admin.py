from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from mail import claims, planning, rendering
from mail.models import Delivery, Recipient, Schedule, Template


@admin.register(Recipient)
class RecipientAdmin(admin.ModelAdmin):
    list_display = ["name", "address", "active"]
    list_filter = ["active"]
    search_fields = ["name", "address"]


class TemplateForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        """A mistake is told here, and not by mails that fail in the morning."""
        written = super().clean()
        sample = Recipient(name="Ada", address="ada@example.org")
        try:
            rendering.render(
                Template(subject=written.get("subject", ""), body=written.get("body", "")),
                rendering.variables(sample, timezone.localtime()),
            )
        except rendering.Mistake as mistake:
            raise forms.ValidationError(str(mistake)) from mistake
        return written


@admin.register(Template)
class TemplateAdmin(admin.ModelAdmin):
    form = TemplateForm
    list_display = ["name", "subject", "preview"]
    readonly_fields = ["preview"]

    def preview(self, template: Template) -> str:
        if template.pk is None:
            return "after saving"
        return format_html('<a href="{}">as a recipient gets it</a>', template.get_absolute_url())


@admin.register(Schedule)
class ScheduleAdmin(admin.ModelAdmin):
    list_display = ["name", "told", "next_due", "active", "template", "zone"]
    list_filter = ["active", "kind"]
    filter_horizontal = ["recipients"]
    readonly_fields = ["next_due"]
    actions = ["send_now"]

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        now = timezone.now()
        if not change or Schedule.RULE_FIELDS & set(form.changed_data):
            if obj.active:
                # What became due by the old rule is not forgotten over the new one.
                planning.plan_one(obj.pk, now)
            obj.plan_anew(now)
        super().save_model(request, obj, form, change)

    @admin.action(description="Send now")
    def send_now(self, request: HttpRequest, chosen: QuerySet[Schedule]) -> None:
        now = timezone.now()
        count = sum(planning.queue(schedule, [now], manual=True) for schedule in chosen)
        self.message_user(request, f"{planning.mails(count)} queued.")


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin):
    """The timeline. Nobody edits it: staff decide about single mails by the actions."""

    list_display = ["due", "state", "schedule", "recipient", "manual", "seconds", "reason"]
    list_filter = ["state", "due", "manual", "schedule"]
    list_select_related = ["schedule", "recipient"]
    actions = ["resend", "mark_sent"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    @admin.action(description="Send again (of unknown outcome, or failed)", permissions=["view"])
    def resend(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        count = claims.resend(chosen.order_by(), timezone.now())
        self.message_user(request, f"{planning.mails(count)} queued again.")

    @admin.action(description="Mark as sent (of unknown outcome)", permissions=["view"])
    def mark_sent(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        count = claims.mark_sent(chosen.order_by(), request.user.get_username())
        self.message_user(request, f"{planning.mails(count)} marked.")
