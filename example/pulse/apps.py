"""Counts heals: in the lifeline arm by the engine's signal. With stock there are none to count."""

from typing import Any

from django.apps import AppConfig


class PulseConfig(AppConfig):
    name = "pulse"

    def ready(self) -> None:
        from django_lifeline.signals import connection_restored

        connection_restored.connect(count_heal)


def count_heal(**sent: Any) -> None:
    from pulse import note

    note("heal", cause=sent["diagnosis"].cause)
