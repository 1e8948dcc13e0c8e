"""Runs a real Celery worker with two forked processes and a real broker, and gives it tasks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from tests.fixtures.program_setup import admin

from lifeline_lab.servers.server import free_port

TASKS = 60


def wait_for(port: int) -> None:
    """Return when somebody listens."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.02)
    raise SystemExit("the broker did not come up")


def main() -> None:
    port = free_port()
    os.environ["BROKER"] = f"redis://127.0.0.1:{port}/0"
    broker = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    worker = [sys.executable, "-m", "celery", "-A", "tests.server.programs.celery_tasks"]
    worker += ["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "ERROR"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    counts = {"right": 0, "wrong": 0, "failed": 0}
    pids, loaded, troubles = set(), set(), []
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(broker, cwd=folder, stdout=subprocess.DEVNULL) as redis,
    ):
        wait_for(port)
        with subprocess.Popen(worker, stdout=subprocess.DEVNULL) as celery:
            try:
                from tests.server.programs.celery_tasks import answer

                promised = {tag: answer.delay(tag) for tag in map(str, range(TASKS))}
                for tag, result in promised.items():
                    try:
                        found, pid, *parent = result.get(timeout=40)
                    except Exception as error:
                        counts["failed"] += 1
                        troubles.append(repr(error))
                        continue
                    pids.add(pid)
                    loaded.add(tuple(parent))
                    counts["right" if found == tag else "wrong"] += 1
                rows = admin("SELECT id FROM information_schema.processlist")
            finally:
                celery.terminate()
                celery.wait(20)
                redis.terminate()
    [(parent, its_session)] = loaded or [(0, 0)]
    report = {
        **counts,
        "workers": len(pids),
        "preloaded": parent not in pids,
        "parents_session_lives": its_session in [row[0] for row in rows],
        "troubles": troubles[:3],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
