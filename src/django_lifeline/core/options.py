"""Every option's name, type, default and meaning, in one typed place."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar


class OptionError(ValueError):
    """A wrong option; the message names the setting, the value and the fix."""


MOST_TCP_USER_TIMEOUT = 2_147_483
"""The kernel takes it in milliseconds, as an ``int`` of C."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """``OPTIONS["pool"]``, in psycopg_pool's words. Times are in seconds."""

    min_size: int = 0
    """Connections kept open even when nobody uses them."""
    max_size: int = 10
    """The most connections this process opens to one database."""
    max_overflow: int | None = 0
    """How many more, while borrowers keep theirs without using them; None: as many as needed,
    which is what `pool_options` takes where neither this nor ``max_size`` is given."""
    timeout: float = 30.0
    """How long a borrower waits for a connection before ``PoolTimeout``."""
    max_waiting: int = 1000
    """The most borrowers that may wait; one more gets ``PoolQueueFull``. 0 means no limit."""
    max_lifetime: float | None = None
    """Age at which a connection is retired; None: 3600, or less where ``wait_timeout`` is less."""
    max_idle: float | None = None
    """Idle time after which one is closed; None: 600, or less where ``wait_timeout`` is less."""
    keepalive: float | None = None
    """Ping idle connections this often, from a thread started for it; None: never."""
    upkeep: bool = False
    """End idle connections also while nobody asks for any, from a thread started for it."""

    @property
    def limit(self) -> int:
        """The most connections that are opened; 0 means no limit."""
        return 0 if self.max_overflow is None else self.max_size + self.max_overflow

    def __post_init__(self) -> None:
        _whole("pool", "min_size", self.min_size, least=0)
        _whole("pool", "max_size", self.max_size, least=1)
        if self.max_overflow is not None:
            _whole("pool", "max_overflow", self.max_overflow, least=0)
        _whole("pool", "max_waiting", self.max_waiting, least=0)
        _seconds("pool", "timeout", self.timeout)
        for name in ("max_lifetime", "max_idle", "keepalive"):
            if getattr(self, name) is not None:
                _seconds("pool", name, getattr(self, name))
        _flag("pool", "upkeep", self.upkeep)
        if self.min_size > self.max_size:
            raise OptionError(
                f"OPTIONS['pool']['min_size'] is {self.min_size}, more than 'max_size' "
                f"({self.max_size}). Lower 'min_size' or raise 'max_size'."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LifelineOptions:
    """``OPTIONS["lifeline"]``: everything that is not the pool's. Times are in seconds."""

    retry_reads: bool = True
    """Repeat a plain SELECT once, on a new connection, when it was lost in flight."""
    full_server_timeout: float = 5.0
    """How long connecting is tried again while the server says that it is full (1040, 1203)."""
    ride_out: float | None = None
    """How long connecting is tried again while the server is away; None: not at all."""
    tcp_user_timeout: float | None = 30.0
    """How long sent data may stay unacknowledged before the kernel gives the connection up."""
    tcp_keepalive: int | None = 60
    """Idle time before the kernel's keepalive probes begin; None leaves the system's."""
    ping_timeout: float = 5.0
    """The longest a liveness ping waits for its answer."""
    target: str = "writable"
    """``"writable"``: follow the writable server once it was written to; ``"any"``: never."""
    failover_timeout: float = 10.0
    """How long a refused write waits until the server's name leads to one that takes it."""
    credentials: Callable[[], object] | str | None = field(default=None, repr=False)
    """A callable, or its dotted path, that gives the password, and the user where that changes."""
    max_connections: int | None = None
    """The most connections of this process to one server, over all its databases; None: any."""
    password_file: str | os.PathLike[str] | None = None
    """A file that holds the password, read for each connection."""

    def __post_init__(self) -> None:
        if self.target not in ("writable", "any"):
            raise OptionError(
                f"OPTIONS['lifeline']['target'] is {self.target!r}. "
                "Set it to 'writable', or to 'any' for a replica."
            )
        _flag("lifeline", "retry_reads", self.retry_reads)
        if self.tcp_keepalive is not None:
            _whole("lifeline", "tcp_keepalive", self.tcp_keepalive, least=1)
        for name in ("tcp_user_timeout", "ride_out"):
            if getattr(self, name) is not None:
                _seconds("lifeline", name, getattr(self, name))
        if (self.tcp_user_timeout or 0) > MOST_TCP_USER_TIMEOUT:
            raise OptionError(
                f"OPTIONS['lifeline']['tcp_user_timeout'] is {self.tcp_user_timeout!r}. Set it to "
                f"{MOST_TCP_USER_TIMEOUT} seconds at most, or None for the system's."
            )
        _seconds("lifeline", "full_server_timeout", self.full_server_timeout)
        _seconds("lifeline", "ping_timeout", self.ping_timeout)
        _seconds("lifeline", "failover_timeout", self.failover_timeout, least_is_zero=True)
        if self.max_connections is not None:
            _whole("lifeline", "max_connections", self.max_connections, least=1)
        self._check_credentials()

    def _check_credentials(self) -> None:
        """Refuse what gives no password; the message shows no value, which might be one."""
        given, path = self.credentials, self.password_file
        if isinstance(given, str) and not all(map(str.isidentifier, given.split("."))):
            raise OptionError(
                "OPTIONS['lifeline']['credentials'] is a str that is no dotted path. Name the "
                "callable that gives the password; the password itself belongs into PASSWORD."
            )
        if given is not None and not isinstance(given, str) and not callable(given):
            raise OptionError(
                f"OPTIONS['lifeline']['credentials'] is a {type(given).__name__}. Set it to a "
                "callable or to the dotted path of one."
            )
        if path is not None and not (isinstance(path, str | os.PathLike) and os.path.isabs(path)):
            raise OptionError(
                "OPTIONS['lifeline']['password_file'] is no absolute path. Set it to one, such "
                "as '/run/secrets/database-password'."
            )
        if given is not None and path is not None:
            raise OptionError(
                "OPTIONS['lifeline'] has both 'credentials' and 'password_file'. Keep one of them."
            )


def pool_options(value: object) -> PoolOptions | None:
    """Read ``OPTIONS["pool"]``: True, False (None is returned) or a dict of `PoolOptions`.

    A ``max_size`` that somebody has chosen is a limit; the default's is not, since no limit of
    ours may keep waiting whom stock Django serves.
    """
    if value is False:
        return None
    given: Any = {} if value is True else value
    options = _from_mapping("pool", PoolOptions, given, "True, False or a dict")
    if "max_size" in given or "max_overflow" in given:
        return options
    return replace(options, max_overflow=None)


def lifeline_options(value: object) -> LifelineOptions:
    """Read ``OPTIONS["lifeline"]``, a dict of `LifelineOptions`."""
    return _from_mapping("lifeline", LifelineOptions, value, "a dict")


T = TypeVar("T")


def _from_mapping(setting: str, kind: type[T], value: object, wanted: str) -> T:
    if not isinstance(value, Mapping):
        raise OptionError(f"OPTIONS[{setting!r}] is {value!r}. Set it to {wanted}.")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in value:
        if key not in known:
            raise OptionError(_unknown(setting, key, known))
    return kind(**value)


def _unknown(setting: str, key: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(key).lower(), known, n=1, cutoff=0)
    return (
        f"OPTIONS[{setting!r}] has no option {key!r}. Did you mean {near[0]!r}? "
        f"The options are: {', '.join(known)}."
    )


def _whole(setting: str, name: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(
            f"OPTIONS[{setting!r}][{name!r}] is {value!r}. Set it to a whole number, "
            f"{least} or more."
        )


def _flag(setting: str, name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise OptionError(f"OPTIONS[{setting!r}][{name!r}] is {value!r}. Set it to True or False.")


def _seconds(setting: str, name: str, value: Any, *, least_is_zero: bool = False) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (value > 0 or least_is_zero and value == 0):
        least = "0 or more" if least_is_zero else "above 0"
        raise OptionError(
            f"OPTIONS[{setting!r}][{name!r}] is {value!r}. Set it to a number of seconds {least}."
        )
