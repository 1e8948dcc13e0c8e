"""What work is called in a worker of RQ, which does one job and ends."""

from __future__ import annotations

import json
import os

import redis
import rq

from django_lifeline.integrations.work import current_work


def main() -> None:
    connection = redis.Redis.from_url(os.environ["REDIS"])
    queue = rq.Queue("names", connection=connection)
    job = queue.enqueue(current_work)
    worker = rq.SimpleWorker([queue], connection=connection)
    worker.work(burst=True, logging_level="CRITICAL")
    print(json.dumps([job.return_value(), current_work()]))


if __name__ == "__main__":
    main()
