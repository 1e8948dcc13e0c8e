"""Runs a real gunicorn with ``--preload``, visits it, and ends it; with or without the hooks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from tests.integrations.programs.watch import (
    aborted,
    kill_all,
    say,
    sessions_of_this_database,
    visit,
    wait_until,
)

PATIENCE = 20
HOOKS = ["-c", "python:django_lifeline.integrations.gunicorn"]


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        words = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "1"]
        words += ["--worker-class", os.environ["WORKER"], "--threads", "2"]
        words += ["--bind", f"fd://{listener.fileno()}", "--log-level", "critical"]
        words += HOOKS if os.environ["INSTALL"] == "yes" else []
        words += ["tests.server.programs.tagged_site:application"]
        with subprocess.Popen(words, pass_fds=[listener.fileno()]) as server:
            try:
                first = visit(port, "a")
                parents_session = first["loaded"][1]
                parent_holds = parents_session in sessions_of_this_database()
                kill_all()
                second = visit(port, "b")
                before_the_end = aborted()
            finally:
                server.terminate()
                server.wait(PATIENCE)
        wait_until(lambda: not sessions_of_this_database(), "for the sessions to end")
    say(
        {
            "answers": first["tag"] + second["tag"],
            "parent_holds": parent_holds,
            "aborted": aborted() - before_the_end,
        }
    )


if __name__ == "__main__":
    main()
