"""``manage.py serve_rpc``: works until it is told to stop."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from autoemail.stopping import listen, wait_until_told
from rpc.service import server


class Command(BaseCommand):
    help = "Serves quotes over gRPC on RPC_PORT."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        listen()
        service = server(settings.RPC_PORT)
        service.start()
        wait_until_told()
        service.stop(grace=1).wait()
