"""What the installed apps say: large fields, and work that knows no requests."""

from __future__ import annotations

from collections.abc import Iterable

from django_lifeline.diagnosis.doctor.facts import Field, Project

LARGE = ("BinaryField", "TextField", "JSONField")
OUTSIDE_REQUESTS = (
    "channels",
    "django_apscheduler",
    "django_celery_beat",
    "django_celery_results",
    "django_cron",
    "django_crontab",
    "django_dramatiq",
    "django_q",
    "django_rq",
    "django_tasks",
    "django_tasks_db",
    "huey.contrib.djhuey",
    "background_task",
)


def read_project(alias: str) -> Project:
    """Return what the project's models and settings say about the database *alias*."""
    from django.apps import apps
    from django.conf import settings
    from django.db import connections, router

    models = [
        model
        for model in (apps.get_models() if apps.ready else ())
        if not model._meta.proxy and router.allow_migrate_model(alias, model)
    ]
    return Project(
        large_fields=tuple(_large_fields(models)),
        upload_limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        outside_requests=tuple(app for app in OUTSIDE_REQUESTS if _installed(app)),
        # The stock wrapper keeps it as an attribute; this package's engine needs no such look.
        open_at_startup=vars(connections[alias]).get("connection") is not None,
    )


def _installed(app: str) -> bool:
    from django.apps import apps

    return apps.ready and any(config.name == app for config in apps.get_app_configs())


def _large_fields(models: Iterable[type]) -> Iterable[Field]:
    for model in models:
        for field in model._meta.local_fields:  # type: ignore[attr-defined]
            if field.get_internal_type() in LARGE:
                yield Field(
                    name=f"{model._meta.label}.{field.name}",  # type: ignore[attr-defined]
                    kind=field.get_internal_type(),
                    limit=getattr(field, "max_length", None),
                )
