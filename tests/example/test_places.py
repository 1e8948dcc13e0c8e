"""The other ways to run the same site: gevent and Celery, ASGI and APScheduler."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest
from tests.example.conftest import Running, Visitor
from tests.fixtures.drivers import eventually
from tests.fixtures.servers import missing

pytestmark = [pytest.mark.server, pytest.mark.slow]
PAGES = ("", "markets/golds/", "markets/golds.json", "pulse.json", "mail/arrived/", "trouble/")


@pytest.mark.parametrize(
    ("web", "runner"), [("gevent", "celery"), ("asgi", "apscheduler")], ids=["gevent", "asgi"]
)
def test_site_and_schedule_work_in_every_place(
    start_example: Callable[..., Running], web: str, runner: str
) -> None:
    if runner == "celery" and shutil.which("redis-server") is None:
        missing("redis-server is not installed: apt-get install redis-server")
    site = start_example("--web", web, "--runner", runner)
    visitor = Visitor(site.address)
    visitor.log_in(site.password)
    assert {page: visitor.status(page) for page in PAGES} == dict.fromkeys(PAGES, 200)
    assert json.loads(visitor.get("markets/exists/?symbol=GOLD")) == {"exists": True}
    assert json.loads(visitor.get("markets/exists/?symbol=LEAD")) == {"exists": False}

    told = json.loads(visitor.post("trouble/kill/"))
    assert told["steps"][0]["ok"]
    visitor.post("mail/morning-job/")

    def reports() -> list[str]:
        return [mail["to"] for mail in site.arrived() if "morning" in mail["subject"]]

    eventually(lambda: len(reports()) >= 5, timeout=30)
    assert len(set(reports())) == len(reports()) == 5
    visitor.get("markets/golds/")


def test_only_staff_may_break_things_or_send(start_example: Callable[..., Running]) -> None:
    site = start_example("--web", "sync")
    stranger = Visitor(site.address)
    assert "autoemail" in stranger.get("")
    for path in ("trouble/", "mail/arrived/", "mail/preview/1/", "admin/"):
        assert 'name="password"' in stranger.get(path), path
    stranger.get("admin/login/")
    for path in ("trouble/kill/", "mail/morning-job/", "mail/send-now/1/", "mail/decide/1/"):
        assert 'name="password"' in stranger.post(path), path
    assert site.arrived() == []

    stranger.log_in(site.password)
    assert "Good morning" in stranger.get("mail/preview/1/") + stranger.get("mail/preview/2/")
    assert stranger.status("trouble/no-such/") == 405
