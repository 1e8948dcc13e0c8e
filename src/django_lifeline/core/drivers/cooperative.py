"""mysqlclient under gevent: whatever waits for the server lets other greenlets run.

The library blocks in C, which stalls the hub and with it every greenlet. So a statement is
sent, its answer is awaited on the descriptor, and the library reads it once it is there.
What may block all the same (connecting, an answer that has not arrived as a whole, a TLS
record that may hold no answer yet) runs in the hub's native thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gevent
import gevent.socket
from MySQLdb import _mysql

from django_lifeline.core.drivers import mysqlclient
from django_lifeline.core.drivers.base import NO_ANSWER, SERVER_LOST

T = TypeVar("T")

_wire = _mysql.connection

_ONE_PIECE = 16 * 1024
"""Bytes that fit into an idle socket's buffer at once, and that a server sends in one go."""


def connect(options: Mapping[str, Any]) -> CooperativeConnection:
    """Connect in the native thread pool; raises mysqlclient's ``OperationalError``."""
    job = gevent.get_hub().threadpool.spawn(_outcome, lambda: CooperativeConnection(**options))
    connection = _unwrap(job.get())
    connection.cooperate()
    return connection


class CooperativeConnection(mysqlclient.Connection):
    """A mysqlclient connection that waits as a greenlet does."""

    _cooperative = False
    _arrived = False
    """Whether the rest of the answer is here, so that reading it does not wait."""
    _awaiting = False
    """Whether a greenlet waits on the descriptor."""
    _working = False
    """Whether a native thread is inside the library; it may outlive the greenlet that asked."""
    _doomed = False
    """Whether to close as soon as nobody waits or works any more."""

    def _adopted(self) -> None:
        self.cooperate()

    def cooperate(self) -> None:
        """Begin to wait cooperatively: connecting happens in a native thread."""
        self._cooperative = True

    def serve_several(self, several: bool) -> None:
        """Wait in C as long as several greenlets use it: as with stock, none comes in between."""
        self._cooperative = not several

    def alive(self) -> bool:
        """Return whether a statement may be sent; a busy connection is not looked at."""
        return not self._doomed and super().alive()

    def autocommit(self, on: bool) -> None:
        """Set autocommit, unless the session is in that mode already."""
        if self.get_autocommit() != bool(on):
            self.query(b"SET autocommit=%d" % bool(on))

    def ping(self, *args: Any) -> None:
        """Ask the server for a sign of life."""
        self.query(b"DO 0")

    def _within(self, seconds: float, call: Callable[[], Any]) -> Any:
        try:
            with gevent.Timeout(seconds, False):
                return call()
        except self.Error:
            pass
        return NO_ANSWER

    def next_result(self) -> int:
        """Go on to the next result: 0, or -1 where there is none."""
        # The library may hold its head already, or the server may still be at work on it.
        self._arrived = False
        return super().next_result()

    def _ask(self, data: bytes) -> None:
        if not self._cooperative:
            _wire.query(self, data)
            return
        self._arrived = len(data) <= _ONE_PIECE
        self._blocking(_wire.send_query, self, data)
        self._await_answer()
        self._arrived = self._answer_is_here()
        self._blocking(_wire.read_query_result, self)

    def _store(self) -> Any:
        return self._blocking(_wire.store_result, self) if self.field_count() else None

    def _command(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        self._arrived = False
        return super()._command(call, *args, **kwargs)

    def _blocking(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        if self._arrived or not self._cooperative:
            return call(*args, **kwargs)
        self._working = True

        # Not as the job's result: the native thread would keep that until its next job, and drop
        # it then, which takes the library's lock for a moment from whoever uses the connection.
        box: list[tuple[BaseException | None, Any]] = []

        def work() -> None:
            try:
                box.append(_outcome(lambda: call(*args, **kwargs)))
            finally:
                self._working = False
                self._shut_if_doomed()

        try:
            job = gevent.get_hub().threadpool.spawn(work)
        except BaseException:
            self._working = False
            raise
        try:
            job.get()
        except BaseException:
            # The exchange is torn. End the thread's wait too: it holds the library's lock, and
            # dropping a result would stall the hub until the server answers.
            self.channel.abort()
            raise
        answer: T = _unwrap(box.pop())
        return answer

    def _await_answer(self) -> None:
        seconds = self._params.get("read_timeout") or None
        silence = self.OperationalError(
            SERVER_LOST, f"Lost connection to server: no answer within read_timeout={seconds}"
        )
        self._awaiting = True
        try:
            gevent.socket.wait_read(self.channel.fd, timeout=seconds, timeout_exc=silence)
        finally:
            self._awaiting = False
            self._shut_if_doomed()

    def _answer_is_here(self) -> bool:
        if self.channel.tls:
            return False
        try:
            return is_whole_answer(self.channel.peek(_ONE_PIECE))
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _shut(self) -> None:
        # Closing below somebody's feet would free what the library is using.
        if self._awaiting or self._working:
            self._doomed = True
        else:
            super()._shut()

    def _shut_if_doomed(self) -> None:
        if self._doomed:
            self._shut()


def is_whole_answer(head: bytes) -> bool:
    """Return whether the waiting bytes look like all of an answer (at worst reading waits).

    It is one packet that says OK or ERR, or the last packet ends the rows, or the end of file.
    """
    if not head or head[4:5] in (b"\x00", b"\xff"):
        return True
    if len(head) == _ONE_PIECE:
        return False
    old_end = head[-9:-6] == b"\x05\0\0" and head[-5] == 0xFE
    new_end = head[-11:-8] == b"\x07\0\0" and head[-7] == 0xFE
    return old_end or new_end


def _outcome(call: Callable[[], Any]) -> tuple[BaseException | None, Any]:
    # An exception that leaves a pool's thread is printed; so it travels as a value.
    try:
        return None, call()
    except BaseException as error:
        return error, None


def _unwrap(outcome: tuple[BaseException | None, Any]) -> Any:
    error, answer = outcome
    if error is not None:
        raise error
    return answer
