"""The lab's servers do what is asked of them, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest

from lifeline_lab.servers import Server, ServerFailed, ServerMissing, find, start
from lifeline_lab.servers.install import debian_mirror
from lifeline_lab.servers.server import SESSIONS

Start = Callable[..., Server]


def gone(pid: int) -> bool:
    """Whether there is no such process, not even one that nobody has waited for."""
    return not Path(f"/proc/{pid}").exists()


def test_started_server_answers_users_over_tcp(server: Server) -> None:
    with pymysql.connect(
        host=server.host, port=server.port, user=server.user, password=server.password
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT VERSION(), @@bind_address")
        version, address = cursor.fetchone()
    assert version.startswith(server.version)
    assert ("MariaDB" in version) == (server.flavour == "mariadb")
    assert address == "127.0.0.1"


def test_session_that_ends_by_itself_is_no_error_to_whoever_ends_it(server: Server) -> None:
    def connect() -> Any:
        return pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password
        )

    closed = connect()
    with connect() as other:
        numbers = [closed.thread_id(), other.thread_id()]
        closed.close()
        server.end_sessions([numbers[0], 2**31 - 1, numbers[1]])
        assert not set(numbers) & {row[0] for row in server.query(SESSIONS)}
        with pytest.raises(pymysql.err.OperationalError):
            other.query("SELECT 1")


def test_users_account_is_no_administrator(server: Server) -> None:
    with (
        pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password
        ) as connection,
        pytest.raises(pymysql.err.OperationalError) as refused,
    ):
        connection.cursor().execute("SET GLOBAL read_only = 1")
    assert refused.value.args[0] == 1227


def test_variables_reach_the_server(private_server: Start) -> None:
    server = private_server(wait_timeout=33, max_connections=12, local_infile=True)
    asked = server.query("SELECT @@wait_timeout, @@max_connections, @@local_infile")
    assert asked == [(33, 12, 1)]
    server.set_global("wait_timeout", 44)
    assert server.query("SELECT @@GLOBAL.wait_timeout") == [(44,)]


def test_server_starts_again_with_other_variables_and_keeps_the_rest(
    private_server: Start,
) -> None:
    server = private_server(wait_timeout=33, max_connections=12)
    server.stop()
    server.start_again(max_connections=15)
    asked = "SELECT @@wait_timeout, @@max_connections"
    assert server.query(asked) == [(33, 15)]
    server.kill()
    server.start_again()
    assert server.query(asked) == [(33, 15)]
    with pytest.raises(ServerFailed, match="running"):
        server.start_again(max_connections=20)


def test_killed_server_starts_again_with_its_data(private_server: Start) -> None:
    server = private_server()
    server.create_database("kept")
    server.query("CREATE TABLE kept.t (a INT) ENGINE=InnoDB")
    server.query("INSERT INTO kept.t VALUES (%s)", 5)
    first, port = server.pid, server.port
    server.kill()
    assert gone(first)
    with pytest.raises(pymysql.err.OperationalError):
        server.query("SELECT 1")
    server.start_again()
    assert server.query("SELECT a FROM kept.t") == [(5,)]
    assert server.port == port
    assert server.pid != first


def test_stopped_server_shuts_down_in_good_order_and_starts_again(private_server: Start) -> None:
    server = private_server()
    pid = server.pid
    server.stop()
    assert gone(pid)
    assert "shutdown complete" in server.log().lower()
    server.start_again()
    assert server.query("SELECT 1") == [(1,)]


def test_paused_server_keeps_silent_until_resumed(private_server: Start) -> None:
    server = private_server()
    account = {"host": server.host, "port": server.port, "user": server.user}
    with pymysql.connect(**account, password=server.password, read_timeout=1) as connection:
        server.pause()
        with pytest.raises(pymysql.err.OperationalError) as silence:
            connection.query("SELECT 1")
    assert silence.value.args[0] == 2013
    server.resume()
    assert server.query("SELECT 1") == [(1,)]


def test_closed_server_leaves_no_process_and_no_folder(flavour: str, private_server: Start) -> None:
    server = private_server()
    pid, folder = server.pid, server.folder
    assert folder.exists()
    server.close()
    assert gone(pid)
    assert not folder.exists()
    server.close()


def test_paused_server_can_be_closed(private_server: Start) -> None:
    server = private_server()
    pid = server.pid
    server.pause()
    server.close()
    assert gone(pid)


def test_django_gets_its_md5_where_the_server_has_none(private_server: Start) -> None:
    server = private_server()
    server.provide_md5()
    server.provide_md5()
    assert server.query("SELECT MD5('x')") == [("9dd4e461268c8034f5c8564e155c67a6",)]


def test_server_that_cannot_start_shows_its_log(private_server: Start) -> None:
    private_server()
    with pytest.raises(ServerFailed, match="no_such_variable|no-such-variable"):
        private_server(no_such_variable=1)


def test_two_servers_of_one_version_are_strangers(private_server: Start) -> None:
    one, two = private_server(), private_server()
    one.create_database("only_here")
    assert one.port != two.port
    assert ("only_here",) not in two.query("SHOW DATABASES")


@pytest.mark.parametrize(
    ("ending", "returncode"),
    [
        ("raise SystemExit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
    ids=["exit", "ctrl-c", "sigkill"],
)
def test_program_that_ends_leaves_no_server(
    private_server: Start, flavour: str, ending: str, returncode: int
) -> None:
    private_server().close()
    program = f"""
        import os, signal
        from lifeline_lab.servers import start
        # Whoever runs the tests in the background has it ignored, for all its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        server = start({flavour!r})
        print(server.pid, server.folder, flush=True)
        {ending}
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == returncode, ended.stderr
    pid, folder = ended.stdout.split()
    if returncode == -signal.SIGKILL:
        wait_until_gone(int(pid), Path(folder))
    assert gone(int(pid))
    assert not Path(folder).exists()


def wait_until_gone(pid: int, folder: Path) -> None:
    """The guard of a program that was SIGKILLed acts a moment later: give it some seconds."""
    guard = f"while [ -e /proc/{pid} ] || [ -e {folder} ]; do sleep 0.05; done"
    subprocess.run(["/bin/sh", "-c", guard], timeout=20, check=True)


def test_forked_child_does_not_end_its_parents_server(private_server: Start) -> None:
    server = private_server()
    child = os.fork()
    if child == 0:
        server.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert server.query("SELECT 1") == [(1,)]


def test_unknown_flavour_is_refused() -> None:
    with pytest.raises(ValueError, match="oracle"):
        find("oracle")


@pytest.mark.parametrize("name", ["mariadb", "mysql"])
def test_missing_server_names_the_command_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LIFELINE_MARIADB", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("lifeline_lab.servers.finding.USUAL_FOLDERS", ())
    (tmp_path / "apt-get").touch(mode=0o755)
    with pytest.raises(ServerMissing, match=r"apt-get install mariadb|servers install mysql"):
        start(name)


def test_mariadb_without_what_its_installer_asks_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Debian's package of the server alone: it cannot make a data folder.
    monkeypatch.delenv("LIFELINE_MARIADB", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("lifeline_lab.servers.finding.USUAL_FOLDERS", ())
    for name in ("mariadbd", "mariadb-install-db", "apt-get"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'mariadbd  Ver 10.11.19-MariaDB'\n")
        program.chmod(0o755)
    with pytest.raises(ServerMissing, match="mariadb-server-core mariadb-client-core"):
        find("mariadb")
    (tmp_path / "my_print_defaults").symlink_to(tmp_path / "mariadbd")
    assert find("mariadb").version == "10.11.19-MariaDB"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "sources.list",
            "# deb http://old/debian x main\ndeb [arch=amd64] http://m.test/debian x main\n",
        ),
        (
            "sources.list.d/a.list",
            "deb http://security.test/debian-security x main\ndeb http://m.test/debian/ x main",
        ),
        ("sources.list.d/debian.sources", "Types: deb\nURIs: http://m.test/debian\nSuites: x\n"),
        (
            "sources.list.d/b.sources",
            "Types: deb\nURIs:\n  http://else.test/x\n  http://m.test/debian\n",
        ),
    ],
)
def test_debian_mirror_is_read_from_either_source_format(
    tmp_path: Path, file: str, text: str
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / file).write_text(text)
    assert (debian_mirror(tmp_path) or "").rstrip("/") == "http://m.test/debian"


def test_mirror_of_another_distribution_is_none(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://m.test/ubuntu noble main\n")
    assert debian_mirror(tmp_path) is None
