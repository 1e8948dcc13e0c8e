"""Serves the site with the admin to a real browser, with workers beside it that lose connections.

It writes its port to ``port`` in its folder, and ends when there is a file ``stop``.
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import ExitStack
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from tests.fixtures.program_setup import SETUP
from tests.integrations.programs import admin_site
from tests.integrations.programs.admin_page import worker
from tests.integrations.programs.watch import kill_all, say, wait_until

SECONDS = float(os.environ["SECONDS"])


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def lose_connections() -> None:
    """For a while, ask the shop from several threads and end its sessions now and then."""
    from django.db import Error, connections, transaction

    end = time.monotonic() + SECONDS

    def ask() -> None:
        while time.monotonic() < end:
            try:
                with transaction.atomic("shop"), connections["shop"].cursor() as cursor:
                    cursor.execute("SELECT SLEEP(%s)", [random.random() / 10])
            except Error:
                pass  # a loss that is shown
            time.sleep(random.random() / 2)
        connections["shop"].close()

    for _ in "12":
        with connections["shop"].cursor() as cursor:
            cursor.execute("SELECT 1")
        kill_all()
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(min(random.random() * 6, SECONDS))
        kill_all()
    for thread in threads:
        thread.join()


def main() -> None:
    admin_site.use(SETUP["server"]["port"])
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.wsgi import get_wsgi_application

    from django_lifeline.diagnosis.recent import recent

    admin_site.make_users()
    with ExitStack() as stack:
        lose_connections()
        stack.enter_context(worker(SETUP["server"]["port"]))
        stack.enter_context(worker(SETUP["server"]["port"]))
        [one, *_] = recent.latest()
        while len(recent.latest()) < 60:
            recent.note(alias=one.alias, pool=one.pool, healed=True, diagnosis=one.diagnosis)
        server = Server(("127.0.0.1", 0), Quiet)
        server.set_app(StaticFilesHandler(get_wsgi_application()))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        (admin_site.FOLDER / "port.new").write_text(str(server.server_port))
        (admin_site.FOLDER / "port.new").rename(admin_site.FOLDER / "port")
        try:
            wait_until((admin_site.FOLDER / "stop").exists, "for the browser")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    say("ended")


if __name__ == "__main__":
    main()
