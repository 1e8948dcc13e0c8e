"""The brokers that Celery may run on: each in the folder of one start, on ports of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from launch.processes import HOST, DidNotStart, Started, free_port

DEBIAN = Path("/usr/lib/rabbitmq/lib")
INSTALL = "is not installed. On Debian or Ubuntu: sudo apt-get install"


class Broker:
    """A broker's address and what runs it, by name; each can be started again after its end."""

    def __init__(self, url: str, makers: dict[str, Callable[[], Started]]) -> None:
        self.url, self.makers = url, makers


def redis(folder: Path) -> Broker:
    """Redis, which keeps nothing on disk. Raises `DidNotStart` where it is not installed."""
    port = free_port()
    words = [program("redis-server"), "--port", str(port), "--bind", HOST, "--save", ""]
    words += ["--dir", str(folder)]
    return Broker(
        f"redis://{HOST}:{port}/0", {"broker": lambda: Started("broker", words, folder, port)}
    )


def rabbitmq(folder: Path) -> Broker:
    """RabbitMQ, and Erlang's port mapper, which it would otherwise start and leave behind.

    Raises `DidNotStart` where it is not installed.
    """
    port, mapper, distribution = free_port(), free_port(), free_port()
    names = {
        # Erlang keeps a secret of this node there.
        "HOME": folder,
        "ERL_EPMD_PORT": mapper,
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_NODENAME": "autoemail@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_DIST_PORT": distribution,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": folder / "rabbitmq",
        "RABBITMQ_LOGS": "-",
        # What the machine's own RabbitMQ is told is not meant for this one.
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": folder / "rabbitmq-has-no-settings",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "rabbitmq-has-no-plugins",
        # One process, that hears signals itself, instead of a shell and its child.
        "RUNNING_UNDER_SYSTEMD": "yes",
    }
    settings = ["env", *(f"{name}={value}" for name, value in names.items())]
    map_ports = [*settings, program("epmd", "rabbitmq-server")]
    serve = [*settings, rabbitmq_server()]
    return Broker(
        f"amqp://guest:guest@{HOST}:{port}//",
        {
            "port-mapper": lambda: Started("port-mapper", map_ports, folder, mapper),
            "broker": lambda: Started("broker", serve, folder, port),
        },
    )


BROKERS: dict[str, Callable[[Path], Broker]] = {"redis": redis, "rabbitmq": rabbitmq}


def program(name: str, package: str = "") -> str:
    """Where the program is."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise DidNotStart(f"{name} {INSTALL} {package or name}")
    return found


def rabbitmq_server() -> str:
    """RabbitMQ's own script: the one in Debian's path changes the user and the folder."""
    behind = sorted(DEBIAN.glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return str(behind[-1]) if behind else program("rabbitmq-server")
