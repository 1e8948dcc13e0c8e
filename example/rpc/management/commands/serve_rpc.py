"""``manage.py serve_rpc``: works until it is told to stop."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from rpc.service import server


class Command(BaseCommand):
    help = "Serves quotes over gRPC on RPC_PORT."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        service = server(settings.RPC_PORT)
        service.start()
        stop.wait()
        service.stop(grace=1).wait()
