"""Sends mails while everything round them is killed, and compares the timeline with the inbox.

Three Celery workers, two schedulers, a real Redis or RabbitMQ, a real MariaDB and the local SMTP
server run; every few seconds one of them is killed, paused or restarted by chance. In the end each
mail must have arrived exactly once, or stand in the timeline as "outcome unknown".

    python example/chaos.py --mails 1000 --report docs/results/example-mail
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autoemail.database import DRIVERS, driver
from launch import database, processes
from launch.brokers import BROKERS, Broker
from launch.cluster import BEATS, WORKERS, Cluster
from launch.faults import FAULTS
from launch.site import set_environment
from lifeline_lab.servers import Server
from verdict import Key, Line, Verdict, judge

MINUTE = timedelta(minutes=1)
SETTLE_TIMEOUT = 150.0


def main() -> int:
    given = arguments()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autoemail-")))
        server = stack.enter_context(database.start_server())
        set_environment(given.arm, given.driver, "celery", folder)
        os.environ.update(DATABASE_URL=database.url(server), CLAIM_SECONDS="6")
        processes.run("migrate", "--verbosity", "0")
        processes.run("plan_chaos", str(given.schedules), str(given.recipients), str(given.first))
        first = dict(ask(server, "SELECT id, next_due FROM mail_schedule"))
        broker = BROKERS[given.broker](folder)
        chance = random.Random(given.seed)
        cluster = stack.enter_context(running(folder, server, broker, chance))
        faults = make_trouble(cluster, given.mails, given.pause)
        settle(cluster)
        verdict = look(server, folder, first)
    result = {
        **verdict.as_dict(),
        "arm": given.arm,
        "broker": given.broker,
        "driver": given.driver,
        "seed": given.seed,
        "seconds": round(time.monotonic() - began),
        "faults": dict(faults),
        "server": server.version,
        "python": sys.version.split()[0],
    }
    print(json.dumps(result), flush=True)
    if given.report:
        write_report(given.report, result)
    return 0 if verdict.held else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=1000, help="how many at least")
    parser.add_argument("--schedules", type=int, default=8)
    parser.add_argument("--recipients", type=int, default=25, help="of each schedule")
    parser.add_argument("--first", type=int, default=1, help="minutes ago that they became due")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--arm", choices=["lifeline", "stock"], default="lifeline")
    parser.add_argument("--driver", choices=DRIVERS, default=driver(os.environ))
    parser.add_argument("--broker", choices=BROKERS, default="redis")
    parser.add_argument("--report", type=Path, help="file name without its ending")
    return parser.parse_args()


@contextmanager
def running(
    folder: Path, server: Server, broker: Broker, chance: random.Random
) -> Iterator[Cluster]:
    cluster = Cluster(folder, server, broker, chance)
    try:
        cluster.supervise()
        for one in cluster.running.values():
            one.wait_until_up()
        yield cluster
    finally:
        cluster.close()


def ask(server: Server, sql: str) -> list[tuple[Any, ...]]:
    return server.query(sql.replace("mail_", f"{database.NAME}.mail_"))


def make_trouble(cluster: Cluster, mails: int, pause: float) -> Counter[str]:
    """One fault after the other, until enough mails became due and most of them have been sent."""
    counts: Counter[str] = Counter()
    wanted: list[str] = []
    while True:
        cluster.supervise()
        time.sleep(pause * cluster.chance.uniform(0.5, 1.5))
        # Each kind once in a shuffled order, then again: a short run meets all of them too.
        if not wanted:
            wanted = cluster.chance.sample(list(FAULTS), len(FAULTS))
        name = wanted.pop()
        FAULTS[name](cluster)
        counts[name] += 1
        [(queued,)] = ask(cluster.server, "SELECT COUNT(*) FROM mail_delivery")
        [(left,)] = ask(cluster.server, "SELECT COUNT(*) FROM mail_delivery WHERE state = 'queued'")
        print(f"{name}; {queued} mails, {left} waiting", file=sys.stderr, flush=True)
        if queued >= mails:
            ask(cluster.server, "UPDATE mail_schedule SET active = 0")
            if left < mails / 10:
                return counts


def settle(cluster: Cluster) -> None:
    """No faults any more: wait until nothing is waiting or on its way."""
    unfinished = "SELECT COUNT(*) FROM mail_delivery WHERE state NOT IN ('sent','failed','unknown')"
    give_up = time.monotonic() + SETTLE_TIMEOUT
    while time.monotonic() < give_up:
        cluster.supervise()
        time.sleep(0.5)
        if ask(cluster.server, unfinished) == [(0,)]:
            return


def look(server: Server, folder: Path, first: dict[int, datetime]) -> Verdict:
    """Read what is stored and what arrived, without any of the example's own code."""
    rows = ask(
        server, "SELECT schedule_id, due, recipient_id, message_id, state FROM mail_delivery"
    )
    lines = [Line((schedule, due, who), key, state) for schedule, due, who, key, state in rows]
    mails = (folder / "mails.jsonl").read_text().splitlines()
    arrived = [json.loads(mail)["message_id"] for mail in mails]
    return judge(lines, arrived, set(expected(server, first)))


def expected(server: Server, first: dict[int, datetime]) -> Iterator[Key]:
    """Everything that became due: each minute from the first one on, for each recipient."""
    pairs = ask(server, "SELECT schedule_id, recipient_id FROM mail_schedule_recipients")
    for schedule, end in ask(server, "SELECT id, next_due FROM mail_schedule"):
        due = first[schedule]
        while due < end:
            for which, recipient in pairs:
                if which == schedule:
                    yield schedule, due, recipient
            due += MINUTE


def write_report(path: Path, result: dict[str, Any]) -> None:
    """Add this run to the JSON, and write the page anew from all that are in it."""
    file = path.with_suffix(".json")
    runs = json.loads(file.read_text()) if file.exists() else []
    # The latest run of each kind counts.
    runs = [run for run in runs if kind(run) != kind(result)]
    runs.append({"date": datetime.now(UTC).date().isoformat(), **result})
    runs.sort(key=kind)
    file.write_text(json.dumps(runs, indent=1) + "\n")
    path.with_suffix(".md").write_text(page(runs))


def kind(run: dict[str, Any]) -> tuple[str, str, str]:
    """What a run differs in from others."""
    return run["driver"], run["broker"], run["arm"]


NAMES = {"mysqlclient": "mysqlclient", "pymysql": "PyMySQL", "redis": "Redis"}
NAMES |= {"rabbitmq": "RabbitMQ"}
TITLES = {
    "mails": "mails that became due",
    "sent": "sent, and arrived exactly once",
    "unknown_and_arrived": "outcome unknown, arrived once",
    "unknown_and_not": "outcome unknown, not arrived",
    "failed": "failed, with the reason stored",
    "twice": "arrived twice",
    "sent_but_not_arrived": "stored as sent, not arrived",
    "failed_but_arrived": "stored as failed, arrived",
    "forgotten": "due, never queued",
    "queued_twice": "queued twice",
    "unfinished": "never finished",
    "strangers": "arrived, not in the timeline",
    "seconds": "seconds",
}


def page(runs: list[dict[str, Any]]) -> str:
    """The page in ``docs/results``."""
    arms = " | ".join(
        f"{run['arm']}, {NAMES[run['driver']]}, {NAMES[run['broker']]}" for run in runs
    )
    rule = "---|" * len(runs)
    figures = [
        f"| {title} | " + " | ".join(str(run[name]) for run in runs) + " |"
        for name, title in TITLES.items()
    ]
    names = sorted({name for run in runs for name in run["faults"]})
    faults = [
        f"| {name} | " + " | ".join(str(run["faults"].get(name, 0)) for run in runs) + " |"
        for name in names
    ]
    machine = sorted(
        {f"Last run: {run['date']}, with Python {run['python']}, {run['server']}" for run in runs}
    )
    return f"""\
# Mails under fire

`example/chaos.py`: {WORKERS} Celery workers with two processes each and {BEATS} schedulers send
what is due, through a real Redis or RabbitMQ, a real MariaDB and the example's SMTP server, while
one thing after the other is killed, paused or restarted. Then what the timeline says is compared
with what arrived. [How the example sends](../example.md).

| | {arms} |
|---|{rule}
{chr(10).join(figures)}

| fault | {arms} |
|---|{rule}
{chr(10).join(faults)}

Of an outcome that is unknown the timeline says so: the sender ended, or its connection to the
SMTP server did, between handing over the mail and storing the answer. No machine sends such a mail
again.

{"; ".join(machine)}. Seeds {", ".join(str(run["seed"]) for run in runs)}.
"""


if __name__ == "__main__":
    sys.exit(main())
