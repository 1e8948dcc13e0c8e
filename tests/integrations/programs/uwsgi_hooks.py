"""Runs a real uWSGI with two workers, visits it, and ends it; with or without the hooks."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.integrations.programs.watch import (
    aborted,
    kill_all,
    listens,
    say,
    sessions_of_this_database,
    visit,
    wait_until,
)

PATIENCE = 20


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [str(Path(sys.executable).with_name("uwsgi")), "--master", "--processes", "2"]
    words += ["--http-socket", f"127.0.0.1:{port}", "--disable-logging", "--die-on-term"]
    words += ["--enable-threads", "--need-app", "--virtualenv", sys.prefix]
    words += ["--module", "tests.integrations.programs.uwsgi_site:application"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: listens(port), "for uWSGI")
            tags = [f"visit-{number}" for number in range(12)]
            first = [visit(port, tag) for tag in tags]
            parents_session = first[0]["loaded"][1]
            parent_lives = parents_session in sessions_of_this_database()
            kill_all()
            second = [visit(port, tag) for tag in tags]
            before_the_end = aborted()
        finally:
            server.terminate()
            server.wait(PATIENCE)
    wait_until(lambda: not sessions_of_this_database(), "for the sessions to end")
    say(
        {
            "right": [answer["tag"] for answer in first + second] == tags + tags,
            "parent_lives": parent_lives,
            "aborted": aborted() - before_the_end,
            "workers_are_not_the_parent": first[0]["loaded"][0]
            not in {answer["pid"] for answer in first},
        }
    )


if __name__ == "__main__":
    main()
