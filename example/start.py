"""Starts the whole example and opens it in a browser. Ctrl-C ends it; nothing stays behind."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser

from autoemail.database import DRIVERS, driver
from autoemail.stopping import Told, listen, wait_until_told
from launch.brokers import BROKERS
from launch.processes import RUNNERS, WEB, DidNotStart, free_port
from launch.site import STAFF, Choices, Site


def main() -> int:
    given = arguments()
    port = given.port or free_port()
    choices = Choices(given.arm, given.web, given.driver, given.runner, given.broker, port)
    site = Site(choices, tell=lambda step: print(f"… {step}", flush=True))
    listen()
    try:
        site.open()
        print(f"\n  {site.address}   engine: {choices.arm}, {choices.driver}")
        print(f"  {site.address}trouble/   {STAFF} / {site.password}")
        print(f"  Ctrl-C ends it. Logs: {site.folder}\n", flush=True)
        if not given.no_browser:
            webbrowser.open(site.address)
        wait_until_told()
    except Told:
        return 130  # Before it had started.
    except DidNotStart as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        site.close()
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/example", description=__doc__)
    parser.add_argument("--arm", choices=["lifeline", "stock"], default="lifeline", help="ENGINE")
    parser.add_argument("--driver", choices=DRIVERS, default=driver(os.environ))
    parser.add_argument("--web", choices=WEB, default=WEB[0], help="gunicorn's worker, or uvicorn")
    parser.add_argument("--runner", choices=RUNNERS, default=RUNNERS[0], help="of the schedule")
    parser.add_argument("--broker", choices=BROKERS, default="redis", help="for --runner celery")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--no-browser", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
