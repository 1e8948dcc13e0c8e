"""Which of this process's children have one of its sockets too.

A child that was forked where Python does not see it, as in C, keeps its parent's descriptors
under the same numbers. Asked only after a loss; Linux tells, other systems do not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice

MOST_THREADS = 64
"""How many threads are asked for their children, in each process."""
MOST_PROCESSES = 100
"""How many descendants are looked at."""
BETWEEN_FORK_AND_EXEC = 0.2
"""Seconds for which every child has its parent's descriptors, even one that runs a program."""
_STARTTIME = 22
"""Which field of a process's ``stat`` says when it began."""


def sharers(number: int) -> tuple[int, ...]:
    """Return the ids of living descendants that have this descriptor's socket, too, under it."""
    socket = _socket("self", number)
    if not socket:
        return ()
    seen = islice(_descendants(), MOST_PROCESSES)
    return tuple(child for child in seen if _socket(str(child), number) == socket and _stays(child))


def closed_in(processes: Iterable[int], number: int) -> tuple[int, ...]:
    """Return those of the processes that have closed what this descriptor leads to here."""
    socket = _socket("self", number)
    if not socket:
        return ()
    return tuple(child for child in processes if _socket(str(child), number) != socket)


def has_had_children() -> bool:
    """Return whether this process has children, or had some; also where it cannot be known."""
    try:
        import resource
    except ImportError:  # pragma: no cover - not on Windows, which has no fork either
        return False
    # It has used memory, as far as it has ended and was waited for.
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0
    return ended or next(_descendants(), None) is not None


def _stays(process: int) -> bool:
    """Whether it is older than one that is about to become another program, as by subprocess."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        with open(f"/proc/{process}/stat") as file:
            # Behind the name, which may hold anything; counted from the third field.
            began = int(file.read().rpartition(")")[2].split()[_STARTTIME - 3])
        with open("/proc/uptime") as file:
            uptime = float(file.read().split()[0])
        return uptime - began / os.sysconf("SC_CLK_TCK") > BETWEEN_FORK_AND_EXEC
    return False


def _descendants() -> Iterator[int]:
    """Yield children, then their children, and so on."""
    parents = ["self"]
    for parent in parents:
        for child in _children(parent):
            parents.append(str(child))
            yield child


def _children(process: str) -> Iterator[int]:
    # Each thread has those that it started itself.
    with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/task") as threads:
        for thread in islice(threads, MOST_THREADS):
            with contextlib.suppress(OSError), open(f"{thread.path}/children") as file:
                yield from map(int, file.read().split())


def _socket(process: str, number: int) -> str:
    """Return the kernel's name for what a descriptor leads to; empty unless it is a socket."""
    with contextlib.suppress(OSError):
        name = os.readlink(f"/proc/{process}/fd/{number}")
        return name if name.startswith("socket:") else ""
    return ""
