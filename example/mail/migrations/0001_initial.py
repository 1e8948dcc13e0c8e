import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mail.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Recipient",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("address", models.EmailField(max_length=254, unique=True)),
                ("active", models.BooleanField(default=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("subject", models.CharField(max_length=200)),
                (
                    "body",
                    models.TextField(
                        help_text="Variables: {{ name }}, {{ address }}, {{ due }}, {{ gold }}. "
                        "Django's template language, without {% load %} and {% include %}."
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("daily", "daily at a time"),
                            ("every", "every n minutes"),
                            ("cron", "cron rule"),
                        ],
                        default="daily",
                        max_length=10,
                    ),
                ),
                ("at", models.TimeField(blank=True, null=True, verbose_name="daily at")),
                (
                    "minutes",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="every … minutes"
                    ),
                ),
                ("cron", models.CharField(blank=True, max_length=100, verbose_name="cron rule")),
                (
                    "zone",
                    models.CharField(
                        default=mail.models.local_zone, max_length=50, verbose_name="time zone"
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                (
                    "make_up_all",
                    models.BooleanField(
                        default=False,
                        help_text="After a standstill send for every due time that was missed, "
                        "not only the last.",
                    ),
                ),
                (
                    "slow_seconds",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="How long the local SMTP server takes over each of these mails.",
                    ),
                ),
                (
                    "next_due",
                    models.DateTimeField(blank=True, db_index=True, editable=False, null=True),
                ),
                ("recipients", models.ManyToManyField(blank=True, to="mail.recipient")),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="mail.template"
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("due", models.DateTimeField()),
                ("manual", models.BooleanField(default=False)),
                ("message_id", models.CharField(max_length=100, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("claimed", "being prepared"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("failed", "failed"),
                            ("unknown", "outcome unknown"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("not_before", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("claim", models.CharField(blank=True, max_length=100)),
                ("deadline", models.DateTimeField(blank=True, null=True)),
                ("subject", models.CharField(blank=True, max_length=250)),
                ("queued_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="mail.recipient"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="mail.schedule",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-due", "-id"],
                "indexes": [
                    models.Index(fields=["state", "not_before"], name="what_to_send"),
                    models.Index(fields=["due"], name="timeline"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("schedule", "due", "recipient"), name="one_per_due"
                    )
                ],
            },
        ),
    ]
