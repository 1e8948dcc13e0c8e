"""The admin page through Django's test client: who may see it, and what it shows when."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from tests.fixtures.program_setup import SETUP
from tests.integrations.programs import admin_site
from tests.integrations.programs.watch import kill_all, say, wait_until

from lifeline_lab.wire import WireProxy

ADDRESS = "/admin/lifeline/connections/"


def visible(html: str) -> str:
    """The page's text."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def page(client: Any, query: str = "") -> str:
    """What the page says."""
    response = client.get(ADDRESS + query)
    assert response.status_code == 200, response
    return str(response.content.decode())


@contextmanager
def worker(port: int) -> Any:
    """Another process of the project, while the block runs; it is killed without a word."""
    words = [sys.executable, "-m", "tests.integrations.programs.admin_worker", str(port)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process.pid
        finally:
            process.kill()


def who_may(client: Any) -> dict[str, Any]:
    """The page and the index for each kind of visitor."""
    from django.contrib.auth.models import User

    said: dict[str, Any] = {"nobody": client.get(ADDRESS).status_code}
    for name in ("adam", "eve", "boss"):
        client.force_login(User.objects.get(username=name))
        listed = ADDRESS in client.get("/admin/").content.decode()
        said[name] = [client.get(ADDRESS).status_code, listed]
    return said


def agreement(html: str) -> bool:
    """Whether the charts' keys end with what the table of the pools says."""
    keys = dict(re.findall(r'<span class="key \w+">(\w+) (\d+)</span>', html))
    rows = re.findall(r"<tr>(.*?)</tr>", html.partition('id="pools"')[2], re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(\d+)</td>", row) for row in rows]
    numbers = [list(map(int, row)) for row in cells if len(row) > 5]
    sums = [sum(row[place] for row in numbers) for place in (1, 2, 4)]
    return bool(numbers) and [int(keys[name]) for name in ("idle", "used", "waiting")] == sums


def crumbs(html: str) -> str | None:
    """The element in which this version of Django's admin shows where one is."""
    found = re.search(r'<(\w+) class="breadcrumbs"', html)
    return found and found[1]


def several_processes(client: Any, port: int) -> dict[str, Any]:
    """With a worker beside, and after its sudden end."""
    with worker(port) as pid:
        text = visible(page(client))
        beside = {"pid": str(pid) in text, "program": text.count("admin_worker.py")}
        beside["its_loss"] = "healed not executed" in text
        beside["agrees"] = agreement(page(client))
        folder = Path(admin_site.processes.folder())
        files = [each for each in folder.iterdir() if each.suffix == ".json"]
        beside["modes"] = sorted({oct(each.stat().st_mode & 0o777) for each in [folder, *files]})
    after = visible(page(client))
    return {**beside, "gone": f"admin_worker.py {pid}" not in after}


def many_losses(client: Any) -> dict[str, Any]:
    """Ten thousand losses in this process."""
    from django_lifeline.diagnosis.recent import recent

    [one, *_] = recent.latest()
    for _ in range(10_000):
        recent.note(alias=one.alias, pool=one.pool, healed=False, diagnosis=one.diagnosis)
    started = time.monotonic()
    first, second = page(client), page(client, "?p=2&refresh=1")
    nonsense = page(client, "?p=nonsense")
    return {
        "quick": time.monotonic() - started < 10,
        "small": len(first) < 200_000,
        "rows": first.count("<details>"),
        "total": "10000 raised" in visible(first),
        "paged": "Page 2 of" in second and "refresh=1" in second and 'content="5"' in second,
        "nonsense": "Page 1 of" in nonsense,
    }


def database_down(client: Any, proxy: WireProxy) -> dict[str, Any]:
    """The shop's database is away; the users' is not."""
    proxy.refuse()
    proxy.cut()
    said: dict[str, Any] = {}
    try:
        client.get("/shop")
    except Exception as error:
        said["shop"] = type(error).__name__
    text = visible(page(client))
    said["losses"] = "Page 1 of" in text
    said["told"] = "It does not answer." in text and "see that the server runs" in text
    said["pools"] = f"{os.getpid()}, this one" in text and Path(sys.argv[0]).name in text
    proxy.resume()
    said["back"] = [client.get("/shop").content.decode(), "wait_timeout" in visible(page(client))]
    return said


def folder_of_somebody_else() -> str:
    """A folder that others may write to is not used."""
    processes = admin_site.processes
    folder = processes.folder()
    folder.chmod(0o777)
    try:
        processes.write(processes.snapshot())
    except processes.Unsafe as error:
        return type(error).__name__
    finally:
        folder.chmod(0o700)
    return "written"


def main() -> None:
    with WireProxy(SETUP["server"]["host"], SETUP["server"]["port"]) as proxy:
        admin_site.use(proxy.port)
        from django.core.management import call_command
        from django.test import Client

        from django_lifeline.panel import processes

        admin_site.processes = processes
        admin_site.make_users()
        client = Client(headers={"host": "localhost"})
        client.raise_request_exception = True
        said: dict[str, Any] = {"who": who_may(client)}
        before = visible(page(client))
        client.get("/shop")
        kill_all()
        client.get("/shop")
        wait_until(lambda: list(processes.folder().glob("*.json")), "for the publisher")
        html = page(client)
        text = visible(html)
        said["before"] = "no connection asked for yet" in before
        said["loss"] = "healed not executed" in text
        said["sessions"] = bool(re.search(r"[0-9]+ sessions? of [0-9]+ \(max_connections\)", text))
        said["secret"] = SETUP["database"]["PASSWORD"] in html
        said["charts"] = html.count("<polyline")
        said["agrees"] = agreement(html)
        theirs = crumbs(client.get("/admin/password_change/").content.decode())
        said["crumbs"] = theirs is not None and crumbs(html) == theirs
        said["several"] = several_processes(client, proxy.port)
        said["many"] = many_losses(client)
        said["down"] = database_down(client, proxy)
        said["unsafe"] = folder_of_somebody_else()
        out = StringIO()
        call_command("dumpdata", "lifeline", "--all", stdout=out)
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
        call_command("check", verbosity=0, stderr=StringIO())
        said["dumped"] = out.getvalue().strip()
    say(said)


if __name__ == "__main__":
    main()
