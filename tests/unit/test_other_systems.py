"""What only Unix or Linux has is not needed: a process without it stands for Windows."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
TAKEN_AWAY = """
    import os, select, socket, sys, _socket
    pair = socket.socketpair()  # to be looked at
    # Python's own parts that would miss them are loaded first.
    import asyncio, multiprocessing.util, random, selectors, subprocess, tempfile
    for name in (
        *("fork", "forkpty", "getppid", "getuid", "geteuid", "killpg", "register_at_fork"),
        *("sysconf", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "get_blocking", "set_blocking"),
    ):
        vars(os).pop(name, None)
    for module in (socket, _socket):
        for name in ("MSG_DONTWAIT", "TCP_INFO", "TCP_USER_TIMEOUT", "socketpair"):
            vars(module).pop(name, None)
    for name in ("poll", "epoll", "POLLIN", "POLLPRI", "POLLRDHUP", "POLLHUP", "POLLERR"):
        vars(select).pop(name, None)
    for name in ("fcntl", "grp", "pwd", "resource", "termios"):
        sys.modules[name] = None
"""


def run(program: str, tmp_path: Path) -> list[str]:
    """Run a program in a process without the names; return the words that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TAKEN_AWAY) + textwrap.dedent(program)],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_engine_and_commands_are_imported_without_what_only_unix_has(tmp_path: Path) -> None:
    said = run(
        """
        from django.conf import settings
        settings.configure(DATABASES={"default": {
            "ENGINE": "django_lifeline.backends.mysql", "NAME": "shop"}},
            INSTALLED_APPS=["django_lifeline"])
        import django
        django.setup()
        from django.db import connection
        from django_lifeline import commands, pools, scopes, signals, testing
        for name in commands.COMMANDS:
            commands.load(name)
        print(connection.vendor, list(pools))
        """,
        tmp_path,
    )
    assert said == ["mysql", "['default']"]


def test_processes_tell_one_another_of_their_pools_without_user_ids(tmp_path: Path) -> None:
    said = run(
        """
        from django.conf import settings
        settings.configure(SECRET_KEY="k", SETTINGS_MODULE="shop.settings")
        from django_lifeline.panel import processes
        processes.write({"pools": []})
        own = processes._own_file()
        own.rename(own.with_name(f"{socket.gethostname()}-1.json"))
        print(len(list(processes.folder().glob("*.json"))), len(processes.all_processes()))
        """,
        tmp_path,
    )
    assert said == ["1", "2"]  # its own too


def test_pool_is_made_and_an_idle_connection_is_looked_at_without_what_only_unix_has(
    tmp_path: Path,
) -> None:
    said = run(
        """
        here, there = pair
        from django_lifeline.core.liveness import Channel
        channel = Channel(here.fileno())
        print(channel.silent(), channel.look().kind.value)
        there.sendall(b"x" * 7)
        print(channel.look().kind.value)
        there.close()
        channel.close()
        from django_lifeline.backends.assembly import targets
        print(targets.find("shop", lambda: "made"))
        """,
        tmp_path,
    )
    assert said == ["True", "silent", "data", "made"]
