"""A long-running program whose driver connection somebody else closes behind Django's back."""

from __future__ import annotations

import socket
import sys

import django

from lifeline_lab.stage import attempt, done, ready


def main(how: str) -> None:
    """Use the database, have the connection closed below Django, and use it again."""
    from django.db import connection

    from lifeline_lab.programs.office.models import Gold, Timeline

    with attempt("read before", wanted=3) as answer:
        answer.value = Gold.objects.count()
    if how == "driver":
        connection.connection.close()
    else:
        shut_down(connection)
    for number in range(3):
        with attempt("read after", wanted=3) as answer:
            answer.value = Gold.objects.count()
        with attempt("save after"):
            Timeline.objects.create(task="closed", note=str(number))


def shut_down(connection: object) -> None:
    """Shut the socket down, as a library that closes all file descriptors would."""
    import os

    for name in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with found:
            if is_connected(found):
                found.shutdown(socket.SHUT_RDWR)


def is_connected(candidate: socket.socket) -> bool:
    """Tell whether this is one of the program's TCP connections: to the database, all of them."""
    if candidate.family != socket.AF_INET:
        return False
    try:
        candidate.getpeername()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    django.setup()
    ready()
    main(sys.argv[1])
    done()
