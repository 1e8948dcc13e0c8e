"""The tables of the workloads."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Sheets and marks."""

    initial = True
    operations = [
        migrations.CreateModel(
            "Sheet",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=40)),
                ("number", models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            "Mark",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=100)),
            ],
        ),
    ]
