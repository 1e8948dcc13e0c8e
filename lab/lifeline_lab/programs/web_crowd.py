"""A site under a web server, with 50 visitors at a time and a load balancer's pings."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lifeline_lab.programs.servers_of_pages import fetch, fetch_json, site
from lifeline_lab.stage import attempt, done, ready

AT_A_TIME = 50
PING_EVERY = 0.1


def read_report(address: str, number: int) -> None:
    """Ask for a report that takes the database 50 ms."""
    tag = f"visitor-{number}"
    with attempt("visitor reads a report", wanted=tag) as answer:
        answer.value = fetch_json(f"{address}?tag={tag}")["tag"]


def ping_until(over: threading.Event, address: str) -> None:
    """Do what a load balancer does: it takes a slow worker out of service."""
    while not over.is_set():
        with attempt("ping"):
            fetch(f"{address}/ping/")
        time.sleep(PING_EVERY)


def main(kind: str, page: str, visitors: int) -> None:
    """Let the crowd in."""
    with site(kind) as address:
        ready()
        over = threading.Event()
        balancer = threading.Thread(target=ping_until, args=(over, address), name="balancer")
        balancer.start()
        with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="visitor") as crowd:
            for number in range(visitors):
                crowd.submit(read_report, f"{address}{page}", number)
        over.set()
        balancer.join()
    done()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
