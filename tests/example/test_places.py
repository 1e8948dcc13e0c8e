"""The other ways to run the same site: gevent and Celery, ASGI and APScheduler with PyMySQL."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator

import pytest
from tests.example.conftest import Running, Visitor, running_example
from tests.fixtures.drivers import eventually
from tests.fixtures.servers import missing

pytestmark = [pytest.mark.server, pytest.mark.slow]
ADMIN = "mail/delivery/ mail/schedule/ mail/recipient/ mail/template/ markets/quote/".split()
PAGES = ["", "markets/golds/", "pulse.json", "mail/arrived/", "trouble/", "admin/"]
PAGES += [f"admin/{page}" for page in [*ADMIN, "mail/schedule/1/change/", "mail/schedule/add/"]]
PLACES = {"gevent": ("celery", "mysqlclient"), "asgi": ("apscheduler", "pymysql")}


@pytest.fixture(scope="module", params=PLACES)
def site(request: pytest.FixtureRequest) -> Iterator[Running]:
    runner, driver = PLACES[request.param]
    if driver == "mysqlclient" and importlib.util.find_spec("MySQLdb") is None:
        missing("mysqlclient is not installed: pip install 'django-lifeline[mysqlclient]'")
    if runner == "celery" and shutil.which("redis-server") is None:
        missing("redis-server is not installed: apt-get install redis-server")
    choices = ["--web", request.param, "--runner", runner, "--driver", driver]
    with running_example(*choices) as running:
        assert driver in Visitor(running.address).get("")
        yield running


def test_site_and_schedule_work_in_every_place(site: Running) -> None:
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


@pytest.mark.parametrize("site", ["asgi"], indirect=True)
def test_async_view_answers_under_asgi_also_after_a_loss(site: Running) -> None:
    visitor = Visitor(site.address)
    visitor.log_in(site.password)
    for _ in range(2):
        assert len(json.loads(visitor.get("markets/golds.json"))["quotes"]) == 30
        visitor.post("trouble/kill/")


def test_only_staff_may_break_things_or_send(site: Running) -> None:
    stranger = Visitor(site.address)
    assert "autoemail" in stranger.get("")
    before = len(site.arrived())
    for path in ("trouble/", "mail/arrived/", "mail/preview/1/", "admin/"):
        assert 'name="password"' in stranger.get(path), path
    stranger.get("admin/login/")
    for path in ("trouble/kill/", "mail/morning-job/", "mail/send-now/1/", "mail/decide/1/"):
        assert 'name="password"' in stranger.post(path), path
    assert not [mail for mail in site.arrived()[before:] if "morning" in mail["subject"]]

    stranger.log_in(site.password)
    assert "Good morning" in stranger.get("mail/preview/1/") + stranger.get("mail/preview/2/")
    assert stranger.status("trouble/no-such/") == 405
