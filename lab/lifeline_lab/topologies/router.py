"""A real MySQL Router before a group, set up by its own bootstrap as a site's is.

That asks an InnoDB Cluster's metadata, which MySQL Shell writes. There is none here, so `describe`
makes what Router reads of them: the views and tables of their public interface, version 2.0.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lifeline_lab.servers import Server, ServerFailed, ServerMissing
from lifeline_lab.servers.finding import on_path, unpacked_program
from lifeline_lab.servers.install import can_unpack, unpack
from lifeline_lab.servers.installation import cache_folder, run_as
from lifeline_lab.servers.process import GuardedProcess
from lifeline_lab.servers.server import HOST, free_port
from lifeline_lab.topologies.accepted import Accepted, await_words
from lifeline_lab.topologies.clusters import Cluster, wait_until

PACKAGE = "mysql-router"
SIZE = "25 MB"
NAME = "lab"
METADATA = "mysql_innodb_cluster_metadata"
SCHEMA = (
    f"CREATE DATABASE {METADATA} CHARACTER SET utf8mb4",
    f"CREATE SQL SECURITY INVOKER VIEW {METADATA}.schema_version (major, minor, patch)"
    " AS SELECT 2, 0, 0",
    f"""CREATE TABLE {METADATA}.v2_gr_clusters (
        cluster_id CHAR(36) PRIMARY KEY,
        cluster_name VARCHAR(63) NOT NULL,
        cluster_type CHAR(2) NOT NULL DEFAULT 'gr',
        primary_mode CHAR(2) NOT NULL DEFAULT 'pm',
        group_name CHAR(36) NOT NULL,
        attributes JSON,
        options JSON,
        router_options JSON)""",
    f"""CREATE SQL SECURITY INVOKER VIEW {METADATA}.v2_clusters AS
        SELECT cluster_id, cluster_name, cluster_type, primary_mode, router_options
        FROM {METADATA}.v2_gr_clusters""",
    f"""CREATE TABLE {METADATA}.v2_instances (
        instance_id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
        cluster_id CHAR(36) NOT NULL,
        mysql_server_uuid CHAR(36) NOT NULL,
        label VARCHAR(265) NOT NULL,
        address VARCHAR(265) NOT NULL,
        endpoint VARCHAR(265) NOT NULL,
        xendpoint VARCHAR(265),
        attributes JSON)""",
    f"""CREATE SQL SECURITY INVOKER VIEW {METADATA}.v2_this_instance AS
        SELECT cluster_id, instance_id, cluster_name, cluster_type
        FROM {METADATA}.v2_instances JOIN {METADATA}.v2_gr_clusters USING (cluster_id)
        WHERE mysql_server_uuid = (
            SELECT CONVERT(variable_value USING utf8mb4) FROM performance_schema.global_variables
            WHERE variable_name = 'server_uuid')""",
    f"""CREATE TABLE {METADATA}.routers (
        router_id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
        router_name VARCHAR(265) NOT NULL,
        product_name VARCHAR(128) NOT NULL,
        address VARCHAR(256) NOT NULL,
        version VARCHAR(12),
        last_check_in TIMESTAMP NULL,
        cluster_id CHAR(36),
        attributes JSON,
        options JSON)""",
    f"CREATE SQL SECURITY INVOKER VIEW {METADATA}.v2_routers AS SELECT * FROM {METADATA}.routers",
)
READY = "Ready, signaling notify socket"


def unpacked() -> Path:
    """The folder into which the downloaded Router is unpacked."""
    return cache_folder() / "mysql-router-unpacked"


def find() -> tuple[tuple[str, ...], Path | None]:
    """The words that run Router, and the folder of its plugins where it does not know it itself."""
    installed = on_path("mysqlrouter")
    if installed:
        return (installed,), None
    words = unpacked_program(unpacked(), "usr/bin/mysqlrouter", "usr/lib/mysql-router")
    if words is None:
        raise ServerMissing(f"There is no MySQL Router: {_how_to_get_it()}")
    return words, unpacked() / "usr/lib/mysqlrouter/plugin"


def _how_to_get_it() -> str:
    if can_unpack():
        return "scripts/lab-topologies --fetch downloads it and tells what"
    return "install it so that its mysqlrouter is on PATH"


def plan() -> str:
    """Say what `fetch` would download, from where and whither; empty where nothing is missing."""
    try:
        find()
    except ServerMissing as missing:
        if not can_unpack():
            return str(missing)
        return (
            f"MySQL Router: {PACKAGE} and its libraries, {SIZE} from the archive of Debian "
            f"unstable, unpacked into {unpacked()}; nothing of it is installed"
        )
    return ""


def fetch(progress: Callable[[str], None]) -> None:
    """Download and unpack Router, where it is missing and that is possible."""
    if plan() and can_unpack():
        unpack(PACKAGE, SIZE, unpacked(), progress)


def describe(servers: list[Server]) -> None:
    """Write down, as MySQL Shell would, which servers are the group; the first is its primary."""
    primary = servers[0]
    for statement in SCHEMA:
        primary.query(statement)
    [[group]] = primary.query("SELECT @@group_replication_group_name")
    primary.query(
        f"INSERT INTO {METADATA}.v2_gr_clusters (cluster_id, cluster_name, group_name)"
        " VALUES (%s, %s, %s)",
        *(group, NAME, group),
    )
    for server in servers:
        [[uuid]] = server.query("SELECT @@server_uuid")
        address = f"{server.host}:{server.port}"
        primary.query(
            f"INSERT INTO {METADATA}.v2_instances (cluster_id, mysql_server_uuid, label, address,"
            " endpoint) VALUES (%s, %s, %s, %s, %s)",
            *(group, uuid, address, address, address),
        )
    for server in servers:
        wait_until(lambda server=server: _members(server) == len(servers), "the metadata")  # type: ignore[misc]


def _members(server: Server) -> int:
    return int(server.query(f"SELECT COUNT(*) FROM {METADATA}.v2_instances")[0][0])


class Router:
    """Listens at ``host``:``port`` and leads to the primary of a group.

    ``options`` are of its configuration: ``{"routing:bootstrap_rw.connection_sharing": 1}``.
    """

    host = HOST
    env: Mapping[str, str] = {}

    def __init__(self, cluster: Cluster, options: dict[str, object] | None = None) -> None:
        self._words, self._plugins = find()
        describe(cluster.servers)
        self._folder = Path(tempfile.mkdtemp(prefix="lifeline-router-"))
        self._home = self._folder / "home"
        self._log = self._home / "log/mysqlrouter.log"
        self.port = free_port()
        self._bootstrap(cluster.servers[0], options or {})
        self._accepted = Accepted(self._log, f"connection accepted at {HOST}:{self.port}")
        self._starts = 0
        self._process = self._start()

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """Stop it in good order and start it again; returns when it takes connections."""
        self._process.end(timeout=10)
        self._process = self._start()

    def clear(self) -> None:
        """Begin to count anew."""
        self._accepted.clear()

    def most_connects(self) -> int:
        """The most connections that it accepted within one second, since `clear`."""
        return self._accepted.most()

    def _bootstrap(self, primary: Server, options: dict[str, object]) -> None:
        base = self._folder / "base.conf"
        plugins = {} if self._plugins is None else {"plugin_folder": self._plugins}
        lines = [f"{name}={value}" for name, value in plugins.items()]
        base.write_text("\n".join(["[DEFAULT]", *lines, ""]))
        chosen = {
            **{f"DEFAULT.{name}": value for name, value in plugins.items()},
            # It tells of each connection that it accepts.
            "logger.level": "debug",
            "routing:bootstrap_ro.bind_port": free_port(),
            **options,
        }
        account = f"{primary.user}:{primary.password}@{primary.host}:{primary.port}"
        words = [*self._words, "--config", str(base), "--bootstrap", account, *run_as()]
        words += ["--directory", str(self._home), "--conf-base-port", str(self.port)]
        words += ["--conf-bind-address", HOST, "--report-host", HOST]
        words += ["--conf-skip-x-protocol", "--disable-rest", "--disable-rw-split"]
        words += [f"--conf-set-option={name}={value}" for name, value in chosen.items()]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=60)
        if answer.returncode:
            raise ServerFailed(f"MySQL Router: {answer.stdout[-1000:]}{answer.stderr[-1000:]}")

    def _start(self) -> GuardedProcess:
        self._starts += 1
        words = [*self._words, "-c", str(self._home / "mysqlrouter.conf")]
        process = GuardedProcess(words, self._folder / "output.log", self._folder)
        await_words(process, self._log, READY, self._starts)
        return process


def switch_over(cluster: Cluster, router: Router) -> list[float]:
    """A planned one: the old primary stays up, read only, and Router ends what led there."""
    cluster.promote(1)
    return [time.monotonic()]


def crash(cluster: Cluster, router: Router) -> list[float]:
    """The primary is killed, and the group elects another one, which Router has to notice."""
    cluster.servers[0].kill()
    wait_until(lambda: cluster.elected() is not None, "an election")
    return [time.monotonic()]


def restart(cluster: Cluster, router: Router) -> list[float]:
    """Router is stopped and started again; it ends the connections of all its clients."""
    router.restart()
    return [time.monotonic()]
