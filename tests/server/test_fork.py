"""A forked child never disturbs its parent's connections, whatever it does and however it ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import LIFELINE, Runner
from tests.fixtures.servers import missing, need_modules, started

from lifeline_lab.servers import Server

PROGRAMS = Path(__file__).parent / "programs"
STOCK = "django.db.backends.mysql"

# What disturbs a parent whose engine is Django's own: any driver, or mysqlclient, whose
# connections say goodbye when they are dropped.
DISTURBING = ["close", "close-query", "query", "grandchildren", "fork-in-c", "pool-fork", "thread"]
DISTURBING_MYSQLCLIENT = ["exit", "drop"]
HARMLESS = [
    "end-at-once",
    "exec",
    "subprocess",
    "query-end-at-once",
    "pool-forkserver",
    "pool-spawn",
]
SCENARIOS = [*DISTURBING, *DISTURBING_MYSQLCLIENT, *HARMLESS]
UNDER_GEVENT = ["query", "close-query"]
OVER_TLS = ["exit", "query", "close-query", "drop", "pool-fork"]


def forked(
    run: Runner,
    server: Server,
    driver: str,
    scenario: str,
    *,
    engine: str = LIFELINE,
    tls: bool = False,
    gevent: bool = False,
) -> dict[str, Any]:
    """Run the program and return its report."""
    encryption: dict[str, object] = {
        "mysqlclient": {"ssl_mode": "REQUIRED" if tls else "DISABLED"},
        "pymysql": {"ssl": {"check_hostname": False, "verify_mode": "none"}}
        if tls
        else {"ssl_disabled": True},
    }[driver]
    outcome = run(
        PROGRAMS / "forks.py",
        server,
        driver,
        engine=engine,
        gevent=gevent,
        options={"read_timeout": 15 if engine == LIFELINE else 1, **encryption},
        env={"SCENARIO": scenario, "CHILDREN_MAY_TAKE": "20" if engine == LIFELINE else "3"},
        CONN_MAX_AGE=None,
    )
    report: dict[str, Any] = outcome.json
    assert report["encrypted"] == tls
    return report


def assert_undisturbed(report: dict[str, Any]) -> None:
    """Every answer was the right one, nobody failed, and the parent kept its session."""
    went_wrong = {name: report[name] for name in ("wrong", "failed", "hung", "crashed")}
    assert not any(went_wrong.values()), report
    assert report["right"] > 0
    assert report["same_session"]


def assert_disturbed(report: dict[str, Any]) -> None:
    """Somebody got another's answer, or an error, or nothing at all."""
    assert report["wrong"] + report["failed"] + report["hung"] + report["crashed"] > 0


@pytest.fixture(scope="session")
def tls_server(
    shared_server: Callable[[str], Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Server]]:
    """Servers that offer TLS: MySQL does by itself, MariaDB is given a certificate."""
    mariadb: list[Server] = []

    def get(flavour: str) -> Server:
        if flavour == "mysql":
            return shared_server(flavour)
        if not mariadb:
            certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
            mariadb.append(started(flavour, ssl_cert=certificate, ssl_key=key))
        return mariadb[0]

    yield get
    for server in mariadb:
        server.close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key, and return both paths."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    for path in paths:
        path.chmod(0o644)
    folder.chmod(0o755)
    return paths


@pytest.mark.drawn
@pytest.mark.fault
@pytest.mark.parametrize("scenario", [*DISTURBING, *DISTURBING_MYSQLCLIENT])
def test_stock_engine_is_disturbed_by_its_children(
    server: Server, driver: str, scenario: str, run_program: Runner
) -> None:
    if driver == "pymysql" and scenario in DISTURBING_MYSQLCLIENT:
        pytest.skip("PyMySQL says no goodbye when a connection is dropped")
    assert_disturbed(forked(run_program, server, driver, scenario, engine=STOCK))


@pytest.mark.fault
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_children_do_not_disturb_their_parent(
    server: Server, driver: str, scenario: str, run_program: Runner
) -> None:
    assert_undisturbed(forked(run_program, server, driver, scenario))


@pytest.mark.fault
@pytest.mark.parametrize("scenario", UNDER_GEVENT)
def test_children_of_a_greenlet_do_not_disturb_their_parent(
    server: Server, driver: str, scenario: str, run_program: Runner
) -> None:
    if scenario == UNDER_GEVENT[0]:
        stock = forked(run_program, server, driver, scenario, engine=STOCK, gevent=True)
        assert_disturbed(stock)
    assert_undisturbed(forked(run_program, server, driver, scenario, gevent=True))


@pytest.mark.fault
@pytest.mark.parametrize("scenario", OVER_TLS)
def test_children_do_not_disturb_their_parent_over_tls(
    flavour: str,
    driver: str,
    scenario: str,
    tls_server: Callable[[str], Server],
    run_program: Runner,
) -> None:
    server = tls_server(flavour)
    assert_undisturbed(forked(run_program, server, driver, scenario, tls=True))


@pytest.mark.drawn
@pytest.mark.fault
@pytest.mark.parametrize("scenario", ["query", "close-query"])
def test_stock_engine_is_disturbed_by_its_children_over_tls(
    flavour: str,
    driver: str,
    scenario: str,
    tls_server: Callable[[str], Server],
    run_program: Runner,
) -> None:
    server = tls_server(flavour)
    assert_disturbed(forked(run_program, server, driver, scenario, tls=True, engine=STOCK))


@pytest.mark.fault
def test_child_of_a_transaction_is_told_and_the_parents_commits(
    server: Server, driver: str, run_program: Runner
) -> None:
    assert_undisturbed(forked(run_program, server, driver, "transaction"))


def assert_all_answered(report: dict[str, Any]) -> None:
    """Two forked workers gave every asker its own tag, and left their parent's session alone."""
    assert (report["wrong"], report["failed"]) == (0, 0), report
    assert report["right"] > 0
    assert report["workers"] == 2
    assert report["preloaded"]
    assert report["parents_session_lives"]


@pytest.mark.drawn
@pytest.mark.fault
def test_stock_engine_mixes_up_visitors_of_a_preloaded_gunicorn(
    server: Server, run_program: Runner
) -> None:
    need_modules("gunicorn", "packaging")
    report = run_program(
        PROGRAMS / "preloaded.py",
        server,
        "mysqlclient",
        engine=STOCK,
        options={"read_timeout": 2},
        env={"WORKER": "sync", "THREADS": "1"},
        CONN_MAX_AGE=None,
    ).json
    assert report["wrong"] + report["failed"] > 0


@pytest.mark.fault
@pytest.mark.parametrize(("worker", "threads"), [("sync", "1"), ("gthread", "4"), ("gevent", "1")])
def test_preloaded_gunicorn_gives_every_visitor_the_own_answer(
    server: Server, driver: str, worker: str, threads: str, run_program: Runner
) -> None:
    need_modules("gunicorn", "packaging")
    report = run_program(
        PROGRAMS / "preloaded.py",
        server,
        driver,
        env={"WORKER": worker, "THREADS": threads},
        CONN_MAX_AGE=None,
    ).json
    assert_all_answered(report)


@pytest.mark.fault
def test_celery_prefork_gives_every_task_the_own_answer(
    server: Server, driver: str, run_program: Runner
) -> None:
    need_modules("celery", "redis")
    if shutil.which("redis-server") is None:
        missing("There is no redis-server: apt-get install redis-server")
    program = PROGRAMS / "celery_worker.py"
    assert_all_answered(run_program(program, server, driver, CONN_MAX_AGE=None, timeout=100).json)
