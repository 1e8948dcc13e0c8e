"""What is made of a server's answers, and how those who stand between are recognised."""

from __future__ import annotations

from typing import Any

import pytest

from django_lifeline.diagnosis.doctor.facts import Server
from django_lifeline.diagnosis.doctor.server import Link, read_server, rights_in

LINK = Link(host="db.example", local_port=50000, greeting="8.4.6", thread_id=7)


class Refused(Exception):
    """What a driver would raise."""


class FakeServer:
    """Answers by the beginning of a statement; refuses what it does not know."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[tuple[Any, ...]]] = {
            "SELECT VERSION()": [("8.4.6", 7, "app@%")],
            "SHOW SESSION STATUS": [("Ssl_cipher", "TLS_AES_256_GCM_SHA384")],
            "SHOW SESSION VARIABLES": [("wait_timeout", "600"), ("read_only", "OFF")],
            "SHOW GLOBAL VARIABLES": [("wait_timeout", "28800")],
            "SHOW GLOBAL STATUS": [("Max_used_connections", "12")],
            "SHOW GRANTS": [("GRANT USAGE ON *.* TO `app`@`%`",)],
            "SELECT HOST": [("10.0.0.9:50000",)],
            **{name.replace("_", " "): rows for name, rows in answers.items()},
        }

    def __call__(self, sql: str) -> list[tuple[Any, ...]]:
        self.asked.append(sql)
        for beginning, rows in self.answers.items():
            if sql.startswith(beginning):
                return rows
        raise Refused(1193, f"unknown: {sql}")


def proxies(link: Link, **answers: Any) -> list[str]:
    return [proxy.name for proxy in read_server(FakeServer(**answers), link).proxies]


def test_answers_become_facts() -> None:
    server = read_server(FakeServer())
    assert (server.name, server.series, server.mariadb) == ("MySQL 8.4.6", "8.4", False)
    assert server.number("wait_timeout") == 600
    assert server.number("wait_timeout", everywhere=True) == 28800
    assert server.number("read_only") is None
    assert server.count("Max_used_connections") == 12
    assert (server.tls, server.account, server.rights) == (True, "app@%", frozenset())
    assert Server(version="10.11.19-MariaDB-log").name == "MariaDB 10.11.19"


def test_what_may_not_be_read_is_named_and_the_rest_is_there() -> None:
    fake = FakeServer()
    del fake.answers["SHOW GLOBAL STATUS"]
    server = read_server(fake)
    assert server.unread == ("SHOW GLOBAL STATUS (1193)",)
    assert server.number("wait_timeout") == 600


def test_only_privileges_on_everything_are_kept_and_never_a_hash() -> None:
    rights = rights_in(
        [
            "GRANT SELECT, FILE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*ABCDEF' "
            "WITH GRANT OPTION",
            "GRANT ALL PRIVILEGES ON `shop`.* TO `app`@`%`",
            "GRANT USAGE ON *.* TO `app`@`%`",
        ]
    )
    assert rights == {"SELECT", "FILE", "GRANT OPTION"}
    assert rights_in(["GRANT USAGE ON *.* TO `a`@`%` WITH GRANT OPTION"]) == frozenset()


def test_a_direct_connection_has_no_proxy_and_is_asked_no_odd_questions() -> None:
    fake = FakeServer()
    assert read_server(fake, LINK).proxies == ()
    assert not [sql for sql in fake.asked if "PROXYSQL" in sql or "maxscale" in sql]


def test_greeting_of_an_old_mariadb_is_the_same_version() -> None:
    link = Link(local_port=50000, greeting="5.5.5-10.11.19-MariaDB", thread_id=7)
    version = [("10.11.19-MariaDB-log", 7, "app@%")]
    assert proxies(link, **{"SELECT_VERSION()": version}) == []


@pytest.mark.parametrize(
    ("link", "answers", "name"),
    [
        (
            Link(host="shop.proxy-c1x.eu-west-1.rds.amazonaws.com", greeting="8.4.6", thread_id=7),
            {},
            "RDS Proxy",
        ),
        (Link(greeting="8.0.11 (ProxySQL)", thread_id=7), {}, "ProxySQL"),
        (
            Link(greeting="8.0.11", thread_id=900),
            {"PROXYSQL INTERNAL SESSION": [('{"session": 1}',)]},
            "ProxySQL",
        ),
        (Link(greeting="8.4.6-router", thread_id=0), {}, "MySQL Router"),
        (Link(greeting="8.4.6", thread_id=9), {"SELECT @@maxscale": [("24.2",)]}, "MaxScale"),
        (Link(greeting="8.0.30", thread_id=7), {}, "a proxy that speaks MySQL"),
        (Link(greeting="8.4.6", thread_id=900), {}, "a proxy that speaks MySQL"),
        (
            Link(greeting="8.4.6", thread_id=7, local_port=40000),
            {},
            "a TCP proxy (HAProxy or another load balancer, Docker, NAT)",
        ),
        (
            LINK,
            {"SELECT @@proxy_protocol_networks": [("10.0.0.0/8",)]},
            "a proxy with the PROXY protocol",
        ),
    ],
)
def test_who_stands_between_is_recognised(link: Link, answers: Any, name: str) -> None:
    fake = FakeServer()
    fake.answers |= answers
    assert [proxy.name for proxy in read_server(fake, link).proxies] == [name]


def test_a_unix_socket_has_no_port_to_compare() -> None:
    link = Link(greeting="8.4.6", thread_id=7, local_port=None)
    assert proxies(link, SELECT_HOST=[("localhost",)]) == []
