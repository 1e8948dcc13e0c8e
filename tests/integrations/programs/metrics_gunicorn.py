"""Runs a real gunicorn with two workers, gives it work and trouble, and reads its metrics.

With PROMETHEUS, the path of its program, a real Prometheus reads them and answers the queries of
the Grafana dashboard.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.fixtures.program_setup import SETUP, admin

import django_lifeline.integrations
from lifeline_lab.servers.server import free_port

DASHBOARD = Path(django_lifeline.integrations.__file__).with_name("grafana-dashboard.json")
VARIABLES = {"$job": ".*", "$pool": ".*", "$__rate_interval": "6s"}
PATIENCE = 20.0
THREADS = "ThreadPoolExecutor"
"""What gunicorn's threads are called, without their numbers."""


def fetch(address: str) -> str:
    """A page's text."""
    with urllib.request.urlopen(address, timeout=20) as answer:
        return str(answer.read().decode())


def eventually(look: Callable[[], Any]) -> Any:
    """Look until there is something to see: another process has to do it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError):
            if found := look():
                return found
        if time.monotonic() > deadline:
            return look()
        time.sleep(0.05)


@contextlib.contextmanager
def running(*words: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the block."""
    with subprocess.Popen(words, env={**os.environ, **env}) as process:
        try:
            yield process
        finally:
            process.terminate()


class Site:
    """The site, and what its metrics say."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def visit(self, path: str) -> str:
        """Fetch a page."""
        return fetch(f"{self.address}/{path}")

    def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """All samples by their metric's name."""
        found = defaultdict(list)
        for family in text_string_to_metric_families(self.visit("metrics")):
            for sample in family.samples:
                found[sample.name].append((sample.labels, sample.value))
        return found

    def total(self, metric: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(
            value
            for found, value in self.samples()[f"django_lifeline_{metric}"]
            if labels.items() <= found.items()
        )

    def total_becomes(self, metric: str, value: float) -> float:
        """Wait until it is that; return what it is at last."""
        eventually(lambda: self.total(metric) == value)
        return self.total(metric)


def sessions() -> list[int]:
    """The sessions of the site's user."""
    user = SETUP["database"]["USER"]
    rows = admin("SELECT id FROM information_schema.processlist WHERE user = %s", user)
    return [int(row[0]) for row in rows]


def use(site: Site) -> set[int]:
    """Send visitors until both workers have answered; return the workers."""
    with ThreadPoolExecutor(8) as visitors:
        pages = visitors.map(lambda _: site.visit("?seconds=0.05"), range(40))
        return {int(page) for page in pages}


def make_trouble(site: Site) -> None:
    """Lose connections: idle ones, one between two statements, and one in a transaction."""
    for number in sessions():
        with contextlib.suppress(Exception):
            admin(f"KILL {number}")
    use(site)
    site.visit("heal")
    site.visit("lose")


def queries() -> list[str]:
    """The queries of all panels of the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def asked(prometheus: str, query: str) -> str:
    """What a real Prometheus answers: ``ok``, ``nothing``, or the error."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    words = urllib.parse.urlencode({"query": query})
    try:
        answer = json.loads(fetch(f"{prometheus}/api/v1/query?{words}"))
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    values = [float(row["value"][1]) for row in answer["data"]["result"]]
    return "ok" if values and all(value == value for value in values) else f"nothing: {values}"


def evaluated(program: str, site: Site, folder: str) -> dict[str, str]:
    """Let Prometheus read the metrics for a while, then evaluate every query of the dashboard."""
    target = site.address.removeprefix("http://")
    Path(folder, "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [{"job_name": "site", "static_configs": [{"targets": [target]}]}],
            }
        )
    )
    port = free_port()
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with running(program, *words):
        until = time.monotonic() + 8
        while time.monotonic() < until:
            make_trouble(site)
        prometheus = f"http://127.0.0.1:{port}"
        return {query: asked(prometheus, query) for query in queries()}


def main() -> None:
    port = free_port()
    site = Site(port)
    words = [sys.executable, "-m", "gunicorn", "--workers", "2", "--worker-class", "gthread"]
    words += ["--threads", "6", "--bind", f"127.0.0.1:{port}", "--log-level", "critical"]
    words += ["--config", "python:tests.integrations.programs.metrics_gunicorn_conf"]
    words += ["tests.integrations.programs.metrics_site:application"]
    report: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(*words, PROMETHEUS_MULTIPROC_DIR=folder),
        tempfile.TemporaryDirectory() as prometheus_folder,
    ):
        eventually(lambda: site.visit("metrics") or "up")
        workers: set[int] = set()
        while len(workers) < 2:
            workers |= use(site)
        make_trouble(site)
        report["max"] = site.total_becomes("connections_max", 6)
        report["open"] = eventually(lambda: site.total("connections") == len(sessions()) > 0)
        report["restored"] = site.total("losses_total", outcome="restored")
        report["raised"] = site.total("losses_total", outcome="raised")
        report["by_job"] = site.total("losses_total", outcome="raised", work="morning mail")
        report["by_thread"] = site.total("losses_total", outcome="restored", work=THREADS)
        report["leases"] = site.total("leases_total")
        report["waited"] = site.total("wait_seconds_total")
        samples = site.samples()
        report["labels"] = {
            name: sorted({label for labels, _ in found for label in labels})
            for name, found in samples.items()
        }
        report["password_shown"] = SETUP["database"]["PASSWORD"] in site.visit("metrics")
        report["spans"] = json.loads(site.visit("spans"))
        report["queries"] = queries()
        if program := os.environ.get("PROMETHEUS"):
            report["evaluated"] = evaluated(program, site, prometheus_folder)
        before = site.total("connections_opened_total")
        os.kill(min(workers), signal.SIGKILL)
        report["max_of_the_living"] = site.total_becomes("connections_max", 3)
        report["counters_kept"] = site.total("connections_opened_total") >= before
    print(json.dumps(report))


if __name__ == "__main__":
    main()
