"""What the rules know, as plain frozen values. None of them holds a password or a literal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from django_lifeline.core.effects import Effect
from django_lifeline.core.options import LifelineOptions, PoolOptions
from django_lifeline.diagnosis.doctor.code import Pin, Remedy
from django_lifeline.diagnosis.saying import Sayable
from django_lifeline.diagnosis.text import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The Python driver in use."""

    name: str = "mysqlclient"
    """``mysqlclient`` or ``PyMySQL``."""
    version: tuple[int, ...] = (2, 2, 8)

    @property
    def in_c(self) -> bool:
        """Whether it waits in C, where gevent and eventlet cannot reach."""
        return self.name == "mysqlclient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A name in the settings that nothing reads where it stands."""

    name: str
    found: str
    """Where it stands, for people."""
    belongs: str = ""
    """Where it belongs, or the package whose it is; empty: nowhere."""

    @property
    def of_a_pool(self) -> bool:
        """Whether another pool has left it, rather than that it is in the wrong place."""
        return not self.belongs.startswith(("OPTIONS", "the entry", "'"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One database as the settings describe it. Times are in seconds."""

    alias: str = "default"
    where: str = "DATABASES['default']"
    """How a message names it."""
    engine: str = "django.db.backends.mysql"
    ours: bool = False
    """Whether the engine is one of this package's."""
    driver: Driver = field(default_factory=Driver)
    host: str = ""
    """Host name or address, or the path of a Unix socket."""
    port: int = 3306
    user: str = ""
    name: str = ""
    """The database's."""
    local: bool = True
    """Whether the way there stays on this machine."""
    conn_max_age: float | None = 0
    health_checks: bool = False
    autocommit: bool = True
    connect_timeout: float | None = None
    read_timeout: float | None = None
    write_timeout: float | None = None
    streaming: bool = False
    """Whether the default cursor reads its rows one by one from the server."""
    interactive: bool = False
    """Whether the client calls itself interactive (CLIENT.INTERACTIVE)."""
    init_effect: Effect = Effect.NONE
    """What ``init_command`` does to the session."""
    init_sets: frozenset[str] = frozenset()
    """The variables that ``init_command`` assigns, in lower case."""
    pool: PoolOptions | None = None
    """None: no pool, as with the stock engine or ``"pool": False``."""
    lifeline: LifelineOptions = field(default_factory=LifelineOptions)
    option_error: str = ""
    """What is wrong with OPTIONS["pool"] or OPTIONS["lifeline"]."""
    misplaced: tuple[Stray, ...] = ()
    """Options a level too high or too low."""
    leftovers: tuple[Stray, ...] = ()
    """What the entry says to another pool than its engine's."""

    @property
    def address(self) -> str:
        """Where the server is, for people."""
        return self.host if self.host.startswith("/") else f"{self.host or 'localhost'}:{self.port}"

    @property
    def persistent(self) -> bool:
        """Whether the stock engine keeps a connection after a request."""
        return not self.ours and self.conn_max_age != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Something between this process and the server."""

    name: str
    evidence: Sayable
    idle_limit: float | None = None
    """Its idle limit for clients by default, in seconds, where it has one that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the server said of itself and of this user's session."""

    version: str = "8.4.6"
    session: Mapping[str, str] = field(default_factory=dict)
    """Variables as this session has them, by name."""
    globals: Mapping[str, str] = field(default_factory=dict)
    """Variables as new sessions get them, by name."""
    status: Mapping[str, str] = field(default_factory=dict)
    """Counters of the server, by name."""
    account: str = ""
    """The account that the login matched, as ``user@host``."""
    rights: frozenset[str] = frozenset()
    """The account's privileges on everything (``ON *.*``)."""
    tls: bool = False
    """Whether this session is encrypted."""
    proxies: tuple[Proxy, ...] = ()
    unread: tuple[str, ...] = ()
    """What could not be read, and why."""

    @property
    def mariadb(self) -> bool:
        """Whether it is a MariaDB."""
        return "mariadb" in self.version.lower()

    @property
    def name(self) -> str:
        """Product and version, for people."""
        return f"{'MariaDB' if self.mariadb else 'MySQL'} {self.version.split('-')[0]}"

    @property
    def series(self) -> str:
        """The release series, such as ``8.4``."""
        return ".".join(self.version.split("-")[0].split(".")[:2])

    def number(self, name: str, *, everywhere: bool = False) -> int | None:
        """Return a variable of the session, or of the server, as a number; None: not known."""
        value = (self.globals if everywhere else self.session).get(name)
        return int(value) if value is not None and value.isdigit() else None

    def count(self, name: str) -> int:
        """Return a status counter; 0 where it is not known."""
        value = self.status.get(name, "0")
        return int(value) if value.isdigit() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """Why the server could not be asked."""

    text: str
    """What the driver said, without secrets."""
    code: int | None = None
    change: Sayable = ""
    """What to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One kind of process that the project runs."""

    kind: str = N_("processes")
    """``gunicorn``, ``Celery``, ``uWSGI``, or ``processes`` where the command line said it."""
    source: str = N_("the command line")
    processes: int = 1
    threads: int = 1
    greenlets: int = 0
    hub: str = ""
    """``gevent`` or ``eventlet``, where greenlets do the work."""
    preload: bool = False
    """Whether the application is imported before the workers are forked."""
    asynchronous: bool = False
    """Whether it is an ASGI server, in which every request may have a thread of its own."""
    unread: tuple[Sayable, ...] = ()
    """Settings of it that could not be read, and why."""

    @property
    def borrowers(self) -> int:
        """Who may need a connection at the same time in one process."""
        return max(self.greenlets, self.threads, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All processes that use the database."""

    services: tuple[Service, ...]
    instances: int = 1
    """How many machines or containers run all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A model's field that can hold a lot."""

    name: str
    """``app.Model.field``."""
    kind: str
    """Its class, such as ``TextField``."""
    limit: int | None = None
    """``max_length``, where it is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the project's code says about its use of the database."""

    large_fields: tuple[Field, ...] = ()
    upload_limit: int | None = 2621440
    """DATA_UPLOAD_MAX_MEMORY_SIZE, in bytes; None: no limit."""
    outside_requests: tuple[str, ...] = ()
    """Installed apps that work in threads and processes without requests."""
    strays: tuple[Stray, ...] = ()
    """What the settings themselves and INSTALLED_APPS have of the same."""
    remedies: tuple[Remedy, ...] = ()
    """What its own code does about lost connections."""
    pins: tuple[Pin, ...] = ()
    """Statements of its own code that leave state in their session."""
    open_at_startup: bool = False
    """Whether importing the project had opened a connection already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known about one database; what is None was not looked at."""

    settings: Settings
    server: Server | None = None
    unreachable: Unreachable | None = None
    layout: Layout | None = None
    project: Project | None = None
    beside: tuple[Settings, ...] = ()
    """The other aliases on the same server."""
    today: date = date.min
