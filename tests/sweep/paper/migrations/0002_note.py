"""The migration that is a workload: a table, and a row of its own."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def write_note(apps: Any, editor: Any) -> None:
    """Fill the table, as data migrations do."""
    apps.get_model("paper", "Note").objects.using(editor.connection.alias).create(text="migrated")


class Migration(migrations.Migration):
    """Notes."""

    dependencies = [("paper", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "Note",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=100)),
            ],
        ),
        migrations.RunPython(write_note, migrations.RunPython.noop),
    ]
