"""Where passwords come from that change: asked when a connection is opened, never kept in a key.

A `Source` is shared by all targets of a process that name the same one. It asks once for all who
connect at the same moment, holds no lock meanwhile, and forgets what the server has refused.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from django_lifeline.backends.errors import number_of
from django_lifeline.core import clock
from django_lifeline.core.credentials import (
    REFUSED,
    Credentials,
    NotCredentials,
    credentials_of,
    password_in,
)
from django_lifeline.core.options import LifelineOptions, lifeline_options
from django_lifeline.exceptions import CREDENTIALS_UNAVAILABLE, CredentialsUnavailable

T = TypeVar("T")

RETURN = "Return a password (str), (user, password) or django_lifeline.Credentials."


class _Call:
    """One call of a source, and those who wait for its answer."""

    def __init__(self) -> None:
        self.caller = threading.get_ident()
        self.over = threading.Event()
        self.answer: Credentials | None = None
        self.error: Exception | None = None


class Source:
    """Gives credentials, and remembers the last ones as long as they hold.

    ``_lock`` guards ``_known`` and ``_call``; ``give`` is called without it.
    """

    def __init__(self, setting: str, told: str, give: Callable[[], Credentials]) -> None:
        self.setting = setting
        self.told = told
        """How messages name it; nothing of its answers."""
        self._give = give
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._known: Credentials | None = None
        self._call: _Call | None = None

    def __repr__(self) -> str:
        return f"<Source {self.setting} {self.told}>"

    def ask(self, place: str) -> Credentials:
        """Return what to connect with now; ``place`` says in messages whose setting it is.

        Raises `CredentialsUnavailable`, or ``ImproperlyConfigured`` for an answer that is none.
        """
        return self._ask(place)[0]

    def ask_after(self, refused: Credentials, place: str) -> Credentials | None:
        """Return other credentials than those the server has refused, None where there are none.

        The same password a second time would only count as another failed login.
        """
        while True:
            with self._lock:
                if self._known is not None and self._known.alike(refused):
                    self._known = None
            given, asked = self._ask(place)
            if not given.alike(refused):
                return given
            if asked:
                return None
            # Somebody else had asked before the refusal.

    def latest(self) -> Credentials | None:
        """Return what it gave last, None where that is over or was refused. Asks nobody."""
        known = self._known
        return None if known is None or known.is_over(clock.now()) else known

    def _ask(self, place: str) -> tuple[Credentials, bool]:
        """Return credentials, and whether they were asked for by this very call."""
        if self._pid != os.getpid():  # a thread of the parent's may have been asking
            self._begin()
        while True:
            with self._lock:
                if self._known is not None and self._known.holds(clock.now()):
                    return self._known, False
                call = self._call
                mine = call is None
                if call is None:
                    call = self._call = _Call()
            if mine:
                return self._answer(call, place), True
            self._wait(call, place)
            if call.error is not None:
                raise self._unavailable(call.error, place) from call.error
            if call.answer is not None:
                return call.answer, False
            # Something broke into the other's call: ask oneself.

    def _answer(self, call: _Call, place: str) -> Credentials:
        try:
            call.answer = answer = self._give()
        except Exception as error:
            call.error = error
            raise self._unavailable(error, place) from error
        finally:
            with self._lock:
                self._known, self._call = call.answer, None
            call.over.set()
        return answer

    def _wait(self, call: _Call, place: str) -> None:
        if call.caller == threading.get_ident():
            raise ImproperlyConfigured(
                f"{self._named(place)} uses a database that it gives the credentials of. Let it "
                "use none, or one with credentials of its own."
            )
        call.over.wait()

    def _named(self, place: str) -> str:
        return f"{place}['OPTIONS']['lifeline'][{self.setting!r}] ({self.told})"

    def _unavailable(self, error: Exception, place: str) -> Exception:
        """Return the error that says so, without the text of *error*: it may hold anything."""
        if isinstance(error, NotCredentials):
            return ImproperlyConfigured(f"{self._named(place)}: {error}. {RETURN}")
        if isinstance(error, _CannotImport):
            return ImproperlyConfigured(f"{self._named(place)} {error}")
        reason = f"raised {type(error).__name__}"
        if isinstance(error, _NoPassword):
            reason = str(error)
        return CredentialsUnavailable(
            CREDENTIALS_UNAVAILABLE,
            f"{self._named(place)} {reason}: there is no password to connect with. Connections "
            "that are open go on; the next one to be opened asks again.",
        )


class _CannotImport(Exception):
    """A dotted path leads to nothing that could be called."""


class _NoPassword(Exception):
    """A file gives none; the message says why, and nothing of what it holds."""


_sources: weakref.WeakValueDictionary[object, Source] = weakref.WeakValueDictionary()


def source_of(options: LifelineOptions) -> Source | None:
    """Return where the credentials come from, None where the settings hold them.

    All targets that name the same one share it, and so its answers.
    """
    given: Any = options.password_file
    setting = "password_file"
    if given is None:
        given, setting = options.credentials, "credentials"
    if given is None:
        return None
    try:
        key = (setting, hash(given), given)
    except TypeError:
        key = (setting, 0, id(given))
    source = _sources.get(key)
    if source is None:
        source = _sources.setdefault(key, _make(setting, given))
    return source


def _make(setting: str, given: Any) -> Source:
    if setting == "password_file":
        path = Path(given)
        return Source(setting, str(path), lambda: _read(path))
    if isinstance(given, str):
        return Source(setting, given, lambda: credentials_of(_plain(_imported(given)())))
    return Source(setting, _name(given), lambda: credentials_of(_plain(given())))


def _read(path: Path) -> Credentials:
    # At each connect: what tells a changed file from an unchanged one costs as much as its text.
    try:
        found = password_in(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _NoPassword(f"cannot be read ({error.strerror or type(error).__name__})") from error
    except ValueError:
        raise _NoPassword("is no text in UTF-8") from None
    if not found.password:
        raise _NoPassword("is empty")
    return found


def _imported(path: str) -> Callable[[], object]:
    try:
        found = import_string(path)
    except ImportError as error:
        raise _CannotImport("leads nowhere. Correct the dotted path.") from error
    if not callable(found):
        raise _CannotImport(f"is a {type(found).__name__}, which cannot be called.")
    called: Callable[[], object] = found
    return called


def _name(given: Any) -> str:
    """Return what a callable is called; the arguments of a ``partial`` are not shown."""
    named = getattr(given, "func", given)
    named = named if hasattr(named, "__qualname__") else type(named)
    return f"{getattr(named, '__module__', None) or 'builtins'}.{named.__qualname__}"


def _plain(value: Any) -> Any:
    """Return the text that Django's ``lazystr`` stands for; the drivers take no other."""
    return str(value) if isinstance(value, Promise) else value


def connect_with(
    source: Source | None,
    params: Mapping[str, Any],
    connect: Callable[[Mapping[str, Any]], T],
    *,
    place: str,
    errors: type[Exception],
) -> T:
    """Connect with the driver's *params* and what the *source* gives.

    Where the server refuses it, the source is asked once more: what it gave may just have been
    replaced. Raises what *connect* and the source raise; ``errors`` is the class of the driver's.
    """
    plain = {name: _plain(value) for name, value in params.items()}
    if source is None:
        return connect(plain)
    given = source.ask(place)
    try:
        return connect(given.put_into(plain))
    except errors as error:
        if number_of(error) not in REFUSED:
            raise
        other = source.ask_after(given, place)
        if other is None:
            raise
    return connect(other.put_into(plain))


def params_to_connect(wrapper: Any) -> dict[str, Any]:
    """Return the driver's parameters for who connects without the pool, as the doctor does."""
    # Not the target's: there is none before the first connection, and this makes none.
    source = source_of(lifeline_options(wrapper.settings_dict["OPTIONS"].get("lifeline", {})))
    params = {name: _plain(value) for name, value in wrapper.get_connection_params().items()}
    if source is None:
        return params
    filled: dict[str, Any] = source.ask(f"DATABASES[{wrapper.alias!r}]").put_into(params)
    return filled


def with_credentials(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a database with the user and the password of now written into them.

    For programs that are told on their command line: mysql, mysqldump.
    """
    options = dict(settings["OPTIONS"])
    source = source_of(lifeline_options(options.pop("lifeline", {})))
    filled = {**settings, "OPTIONS": options}
    if source is not None:
        given = source.ask("DATABASES[…]")
        for name in ("password", "passwd"):
            options.pop(name, None)
        filled["PASSWORD"] = given.password
        if given.user is not None:
            options.pop("user", None)
            filled["USER"] = given.user
    return {name: _plain(value) for name, value in filled.items()}
