"""Which children have a socket too: real processes, real sockets."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from django_lifeline.diagnosis import kin

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells what other processes have open"
)
WAIT = "import sys; print(flush=True); sys.stdin.read()"
AND_ITS_CHILD = (
    "import subprocess, sys; "
    f"subprocess.run([sys.executable, '-c', {WAIT!r}], pass_fds=[int(sys.argv[1])])"
)


@pytest.fixture(autouse=True)
def no_minimum_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every child for one that stays."""
    monkeypatch.setattr(kin, "BETWEEN_FORK_AND_EXEC", -1.0)


@contextlib.contextmanager
def child(*numbers: int, program: str = WAIT) -> Iterator[int]:
    """Run a child that has these descriptors, until the block's end."""
    words = [sys.executable, "-c", program, *map(str, numbers)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, pass_fds=numbers, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


def test_child_with_the_same_socket_is_found() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, child(ours.fileno()) as other, child():
        assert kin.sharers(ours.fileno()) == (other,)
        assert kin.sharers(theirs.fileno()) == ()


def test_child_that_has_just_begun_may_be_about_to_run_another_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kin, "BETWEEN_FORK_AND_EXEC", 3600.0)
    ours, theirs = socket.socketpair()
    with ours, theirs, child(ours.fileno()):
        assert kin.sharers(ours.fileno()) == ()


def test_grandchild_with_the_same_socket_is_found() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, child(ours.fileno(), program=AND_ITS_CHILD) as other:
        found = kin.sharers(ours.fileno())
        assert other in found and len(found) == 2


def test_child_that_has_ended_is_not_found() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with child(ours.fileno()):
            pass
        assert kin.sharers(ours.fileno()) == ()
        assert kin.has_had_children()


def test_descriptor_that_a_child_has_closed_is_told() -> None:
    ours, theirs = socket.socketpair()
    twin = ours.dup()
    with ours, theirs, twin, child(twin.fileno()) as other:
        assert kin.closed_in((other,), ours.fileno()) == (other,)
        assert kin.closed_in((other,), twin.fileno()) == ()


@pytest.mark.parametrize("number", [-1, 1 << 20])
def test_descriptor_that_is_no_socket_is_shared_with_nobody(number: int) -> None:
    assert kin.sharers(number) == ()
    assert kin.closed_in((1,), number) == ()


def test_process_without_children_has_had_none() -> None:
    program = "from django_lifeline.diagnosis import kin; print(kin.has_had_children())"
    words = [sys.executable, "-c", program]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "False\n"
