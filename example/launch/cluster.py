"""Celery workers, two schedulers, a broker and SMTP, each started again when it has ended."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

from launch import processes
from launch.brokers import Broker
from launch.processes import Started
from lifeline_lab.servers import Server

WORKERS, BEATS = 3, 2
ANSWER_AFTER = 0.03
"""Seconds between the SMTP server's taking a mail and its saying so: time to die in."""


class Cluster:
    """What runs, by name."""

    def __init__(self, folder: Path, server: Server, broker: Broker, chance: random.Random) -> None:
        self.server, self.chance = server, chance
        smtp = int(os.environ["SMTP_PORT"])
        os.environ["CELERY_BROKER_URL"] = broker.url
        self.running: dict[str, Started] = {}
        self._makers: dict[str, Callable[[], Started]] = {
            **broker.makers,
            "smtp": lambda: processes.sink(smtp, folder, ANSWER_AFTER),
        }
        for n in range(WORKERS):
            self._makers[f"worker-{n}"] = lambda n=n: processes.worker(folder, n)
        for n in range(BEATS):
            self._makers[f"beat-{n}"] = lambda n=n: processes.beat(folder, n)

    def supervise(self) -> None:
        """Start what does not run."""
        for name, make in self._makers.items():
            if name in self.running:
                if self.running[name].process.running():
                    continue
                self.running.pop(name).kill()
            self.running[name] = make()

    def one(self, kind: str) -> Started:
        """One of this kind, by chance."""
        names = sorted(name for name in self.running if name.startswith(kind))
        return self.running[self.chance.choice(names)]

    def close(self) -> None:
        for one in self.running.values():
            one.signal_all(signal.SIGCONT)
            one.kill()
