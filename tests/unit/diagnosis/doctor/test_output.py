"""What people and programs get to see of a report."""

from __future__ import annotations

import json
import re
from datetime import datetime
from html.parser import HTMLParser

from django_lifeline.diagnosis.doctor import connect
from django_lifeline.diagnosis.doctor.facts import (
    Facts,
    Layout,
    Proxy,
    Server,
    Service,
    Settings,
)
from django_lifeline.diagnosis.doctor.finding import Level
from django_lifeline.diagnosis.doctor.page import as_html
from django_lifeline.diagnosis.doctor.report import Report, as_json, make_report, processes
from django_lifeline.diagnosis.doctor.text import WIDTH, as_text
from django_lifeline.diagnosis.pages import address
from django_lifeline.diagnosis.saying import tell

SESSION = {"wait_timeout": "28800", "max_connections": "10"}
ODD = "<script>alert(1)</script> & co"
WEB = Service(
    kind="gunicorn", source="g.py", processes=4, threads=3, unread=("workers: it calls pick",)
)
LAYOUT = Layout(services=(WEB,), instances=2)
SERVER = Server(
    session=SESSION,
    globals=SESSION,
    proxies=(Proxy(name=ODD, evidence="it is odd"),),
    unread=("SHOW GRANTS (1142)",),
)


def bad(lang: str = "en") -> Report:
    facts = Facts(settings=Settings(conn_max_age=None), server=SERVER, layout=LAYOUT)
    return make_report([facts], LAYOUT, lang)


def good() -> Report:
    return make_report([Facts(settings=Settings(ours=True))], None)


def test_text_has_each_finding_with_its_change_and_what_was_not_read() -> None:
    text = as_text(bad(), coloured=False)
    assert text.index("lifeline.D201") < text.index("lifeline.D102")
    assert '    "CONN_MAX_AGE": 600,\n' in text
    assert "Processes: gunicorn (g.py): 4 × 3 threads; all of it 2 times." in text
    assert "Not read: g.py: workers: it calls pick." in text
    assert "Not read: DATABASES['default']: SHOW GRANTS (1142)." in text
    assert text.splitlines()[-1] == "2 errors, 1 warning, 3 notes."
    prose = [line for line in text.splitlines() if not line.startswith(("    ", "  https:"))]
    assert max(map(len, prose)) <= WIDTH


def test_colours_are_only_where_they_are_wanted() -> None:
    assert "\x1b[" not in as_text(bad(), coloured=False)
    coloured = as_text(bad(), coloured=True)
    assert "\x1b[1;31m ERROR \x1b[0m lifeline.D201" in coloured


def test_text_of_a_good_setup_says_so_and_asks_for_the_processes() -> None:
    text = as_text(good(), coloured=False)
    assert "Nothing was found." in text
    assert "--config FILE" in text


def test_json_has_all_findings_with_their_figures() -> None:
    told = json.loads(json.dumps(as_json(bad())))
    [database] = told["databases"]
    found = {finding["id"]: finding for finding in database["findings"]}
    assert found["lifeline.D201"]["numbers"] == {"connections": 24, "max_connections": 10}
    assert found["lifeline.D201"]["level"] == "error"
    assert found["lifeline.D101"]["docs"].startswith(address("doctor", "d101-"))
    assert (told["format"], told["instances"]) == (1, 2)
    assert len(told["unread"]) == 2


def test_chinese_report_has_the_same_findings_in_chinese() -> None:
    english, chinese = as_json(bad()), as_json(bad("zh-hans"))
    keys = ("id", "level", "numbers")
    found = [
        [[finding[key] for key in keys] for finding in told["databases"][0]["findings"]]
        for told in (english, chinese)
    ]
    assert found[0] == found[1]
    assert "/zh/doctor.html#d201-" in chinese["databases"][0]["findings"][0]["docs"]
    assert chinese["summary"] == "2 个错误、1 个警告、3 个提示。"
    text = as_text(bad("zh-hans"), coloured=False)
    assert " 错误  lifeline.D201  各进程可能打开的连接多于服务器允许的\n" in text
    assert "进程：gunicorn（g.py）：4 × 3 个线程；以上全部共 2 份。" in text
    assert "没有读取：g.py：workers: it calls pick。" in text


def test_chinese_page_says_so_and_has_no_english_label() -> None:
    page = as_html(bad("zh-hans"), datetime(2026, 11, 21, 9, 5))
    assert '<html lang="zh-Hans">' in page and "数据库连接会断开吗？" in page
    english = as_html(bad(), datetime(2026, 11, 21, 9, 5))
    labels = re.findall(r"<(?:dt|h1|h2|summary)>([A-Z][a-z ]+)</", english)
    assert len(labels) > 3
    assert [label for label in labels if f">{label}</" in page] == []


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        fetching = ("src",) if tag == "a" else ("src", "href")
        self.fetched += [name for name, _ in attributes if name in fetching]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_whole_needs_nothing_else_and_runs_nothing() -> None:
    page = as_html(bad(), datetime(2026, 11, 21, 9, 5))
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen.count("article") == len(bad().findings)
    assert tags.fetched == []
    assert "script" not in tags.seen
    assert "&lt;script&gt;" in page and "2026-11-21 09:05" in page
    assert "$" not in page.replace("$$", "")


def test_report_reaches_a_level_or_not() -> None:
    assert bad().reaches(Level.ERROR) and bad().reaches(Level.INFO)
    assert not bad().reaches(Level.CRITICAL)
    assert not bad().reaches(None)
    assert not good().reaches(Level.INFO)


def test_asgi_is_said_to_have_more_threads_than_counted() -> None:
    service = Service(kind="gunicorn", source="g.py", asynchronous=True)
    layout = Layout(services=(service,))
    assert "ASGI: more threads" in processes(make_report([], layout))


def test_rights_on_a_database_are_no_rights_on_others_that_its_name_would_match() -> None:
    advice = connect._advice(Exception(), 1044, "", {"database": "shop_db", "user": "site"})
    assert r"GRANT ALL ON `shop\_db`.* TO 'site'@'%'" in tell(advice, str)
    advice = connect._advice(Exception(), 1049, "", {"database": "shop_db"})
    assert "CREATE DATABASE `shop_db`" in tell(advice, str)
