"""The causes of a lost connection: one catalogue for errors, ``doctor``, ``explain`` and docs.

A text here is said to people, so it is short, names variables as MySQL does and holds no figures:
those are evidence and belong to one incident.
"""

from __future__ import annotations

from dataclasses import dataclass

from django_lifeline.diagnosis.pages import address
from django_lifeline.diagnosis.text import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason why connections end, or why none can be had."""

    name: str
    """Its name in code, JSON and metrics, such as ``idle_timeout``; it does not change."""
    title: str
    """A headline of a few words."""
    meaning: str
    """What happened, in one or two sentences."""
    evidence: str
    """What speaks for it, and what rules it out."""
    fix: str
    """What to change so that it does not happen again."""
    settle: str = ""
    """What would decide whether it was this one, where the evidence leaves it open."""

    @property
    def page(self) -> str:
        """The address of the page about it."""
        return address(f"causes/{self.name.replace('_', '-')}")


_ALL = (
    Cause(
        name="idle_timeout",
        title=N_("The server ended an idle session"),
        meaning=N_(
            "Nothing was sent for longer than the server's wait_timeout, so the server closed the "
            "connection; the client found out when it used it next."
        ),
        evidence=N_(
            "The connection was idle for at least wait_timeout and was found dead before anything "
            "was sent. 4031 is said for this reason only."
        ),
        fix=N_(
            "Use this package's ENGINE, which replaces such a connection before anything is sent. "
            "With the stock engine call close_old_connections() before work that follows a long "
            "pause. Raising wait_timeout only makes it rarer."
        ),
        settle=N_("Compare the idle time with SHOW VARIABLES LIKE 'wait_timeout'."),
    ),
    Cause(
        name="killed",
        title=N_("Somebody ended the session with KILL"),
        meaning=N_("An administrator or a watchdog ended this session; the server stayed up."),
        evidence=N_(
            "A goodbye with 1927 or 3169; or the connection ended while the server stayed up and "
            "the idle time was short. The server counts it in Aborted_clients."
        ),
        fix=N_(
            "Find out who sends KILL: a watchdog for long queries, a script, or a person. The "
            "statement that was running is the first place to look."
        ),
        settle=N_("Ask who may KILL, and look into the server's general log or audit log."),
    ),
    Cause(
        name="server_restarted",
        title=N_("The server was restarted or crashed"),
        meaning=N_("The server process ended, and all its connections with it."),
        evidence=N_(
            "The server's Uptime is shorter than the time since the loss, or many processes lost "
            "their connections in the same second."
        ),
        fix=N_(
            "Read the server's error log at that time: a planned restart, a crash, or the system's "
            "out-of-memory killer."
        ),
        settle=N_("Compare SHOW GLOBAL STATUS LIKE 'Uptime' with the time of the loss."),
    ),
    Cause(
        name="packet_too_large",
        title=N_("A statement was larger than max_allowed_packet"),
        meaning=N_("The server closes the connection on which a larger packet arrives."),
        evidence=N_(
            "The statement was longer than max_allowed_packet, and it fails at once, every time, "
            "with the same data. A statement of normal size rules it out."
        ),
        fix=N_(
            "Raise max_allowed_packet on the server, or send less at once: a smaller batch_size, "
            "and files in a storage instead of a column."
        ),
        settle=N_(
            "Compare the statement's size with SHOW GLOBAL VARIABLES LIKE 'max_allowed_packet'."
        ),
    ),
    Cause(
        name="closed_by_application",
        title=N_("This process closed the connection itself"),
        meaning=N_("The connection was closed behind Django's back, and then used."),
        evidence=N_(
            "The error has no text or is (0, ''), this side's socket shows that it ended the "
            "conversation, and the server counts no aborted client."
        ),
        fix=N_(
            "Find who calls close() on the driver's connection or on its socket; use Django's "
            "connection.close() instead."
        ),
        settle=N_("Search the code for connection.connection.close() and for os.closerange()."),
    ),
    Cause(
        name="shared_after_fork",
        title=N_("A forked process shares the connection"),
        meaning=N_(
            "A connection opened before fork() is one socket in two processes; the answers get "
            "mixed up, and the first process that closes it says goodbye for both."
        ),
        evidence=N_(
            "The process that uses the connection is not the one that opened it, or a child has "
            "the same socket open. It comes soon after a start, or when a worker ends."
        ),
        fix=N_(
            "Use this package's ENGINE, which leaves an inherited connection to its parent. With "
            "the stock engine close all connections before forking."
        ),
        settle=N_(
            "Compare the process that opened the connection with the one that used it, and look "
            "for children with the same socket: ls -l /proc/<pid>/fd."
        ),
    ),
    Cause(
        name="shared_between_threads",
        title=N_("Two threads used one connection at the same time"),
        meaning=N_("A connection can have one exchange at a time, and there were two."),
        evidence=N_(
            "Two threads used the connection at once; errors of different kinds come within "
            "milliseconds."
        ),
        fix=N_("Let each thread use its own connection: django.db.connections gives it one."),
        settle=N_("Look for a connection or cursor that is passed to another thread."),
    ),
    Cause(
        name="client_timeout",
        title=N_("The driver stopped waiting: read_timeout or write_timeout"),
        meaning=N_(
            "The statement took longer than the driver's own read_timeout or write_timeout, so the "
            "driver gave the connection up; the server may have gone on."
        ),
        evidence=N_(
            "It fails after as many seconds as read_timeout says, every time, and SHOW "
            "PROCESSLIST still has the statement."
        ),
        fix=N_(
            "Make the statement faster, or raise OPTIONS['read_timeout']; to bound statements let "
            "the server do it, with max_execution_time (MySQL) or max_statement_time (MariaDB)."
        ),
        settle=N_("Compare the statement's duration with OPTIONS['read_timeout']."),
    ),
    Cause(
        name="network_cut",
        title=N_("Something between client and server cut the connection"),
        meaning=N_(
            "The connection ended while it was idle for less than the server's timeouts, and the "
            "server stayed up: a proxy, firewall, load balancer or NAT has a shorter limit."
        ),
        evidence=N_(
            "The idle time is shorter than wait_timeout, the server was not restarted, and the "
            "shortest idle times of several losses agree."
        ),
        fix=N_(
            "Find the shortest idle limit on the way (for HAProxy: timeout client and timeout "
            "server) and keep connections below it: OPTIONS['pool'] = {'max_idle': …}."
        ),
        settle=N_(
            "Compare the idle times of several losses: a proxy's limit is the same every time."
        ),
    ),
    Cause(
        name="half_open",
        title=N_("The other side vanished without a word"),
        meaning=N_(
            "Packets went unanswered and no reset came: the host, the network or a firewall's "
            "table entry is gone, and TCP gave up waiting."
        ),
        evidence=N_(
            "The statement was sent and nothing came back: the kernel reports a timeout or "
            "unacknowledged bytes, and the server never saw the statement."
        ),
        fix=N_(
            "Keep tcp_user_timeout and TCP keepalive on (this package's defaults), and look at the "
            "network between the two hosts."
        ),
        settle=N_("See whether other clients of the server lost theirs at the same time."),
    ),
    Cause(
        name="slow_reader",
        title=N_("The server gave up sending: net_write_timeout"),
        meaning=N_(
            "The rows of a result were taken more slowly than net_write_timeout allows, so the "
            "server closed the connection in the middle of its answer."
        ),
        evidence=N_(
            "Rows had been read already, and between two of them was a pause as long as "
            "net_write_timeout."
        ),
        fix=N_(
            "Read the rows first and work on them afterwards, in smaller parts; or raise "
            "net_write_timeout for the session that streams."
        ),
        settle=N_("Compare the pauses between rows with SHOW VARIABLES LIKE 'net_write_timeout'."),
    ),
    Cause(
        name="too_many_connections",
        title=N_("The server has no connection left: max_connections"),
        meaning=N_("As many sessions as max_connections allows were open already."),
        evidence=N_(
            "The number, 1040, is the proof; SHOW PROCESSLIST tells who has the connections."
        ),
        fix=N_(
            "Add up processes times max_size over all programs and keep the sum below "
            "max_connections; with the stock engine under gevent every greenlet opens its own."
        ),
        settle=N_("Look at SHOW PROCESSLIST, grouped by user and host."),
    ),
    Cause(
        name="user_limit",
        title=N_("The account may not have more connections"),
        meaning=N_(
            "The account's max_user_connections, or its limit per hour, has been reached; other "
            "accounts may still connect."
        ),
        evidence=N_("The number is the proof, and for 1226 the resource that the text names."),
        fix=N_("Keep processes times max_size below the limit, or raise it with ALTER USER."),
        settle=N_("Look at SHOW CREATE USER and at max_user_connections."),
    ),
    Cause(
        name="host_blocked",
        title=N_("The server refuses this host"),
        meaning=N_(
            "After max_connect_errors broken handshakes the server blocks a host; or no account "
            "allows it."
        ),
        evidence=N_(
            "The number, 1129, is the proof; performance_schema.host_cache counts the broken "
            "handshakes of each host."
        ),
        fix=N_(
            "Find what connects without logging in, such as a port check, then run FLUSH HOSTS "
            "(MariaDB) or TRUNCATE TABLE performance_schema.host_cache (MySQL); for 1130 grant the "
            "account access from this host."
        ),
        settle=N_("Look at performance_schema.host_cache."),
    ),
    Cause(
        name="read_only",
        title=N_("The server does not take writes: a replica, or a failed-over primary"),
        meaning=N_(
            "The server is read only. After a failover the old primary, or a DNS name that still "
            "points to it, answers reads and refuses writes; so does a server that was started "
            "with innodb_force_recovery or innodb_read_only."
        ),
        evidence=N_(
            "The number is the proof: 1290 for a server that is read only, 1792 for a session or "
            "transaction, 1836 for a rescue. SELECT @@hostname, @@read_only tells which server it "
            "was."
        ),
        fix=N_("Point HOST at the writable server and let the connections to the old one end."),
        settle=N_("SELECT @@read_only, @@super_read_only (MySQL) and ask who the primary is."),
    ),
    Cause(
        name="failover",
        title=N_("The server that took the writes takes none any more: a failover"),
        meaning=N_(
            "A server that this process has written to became read only, or left its cluster. "
            "Another one takes the writes, or will: the old sessions stay with the old server."
        ),
        evidence=N_(
            "This process had written there before, and the server itself, asked after a refusal, "
            "says that it takes no writes: read_only, super_read_only, wsrep_ready and the like."
        ),
        fix=N_(
            "Use this package's ENGINE, which follows the name in HOST to the writable server. "
            "Let that name or proxy lead there soon, and end transactions that were open with "
            "retries of the whole block."
        ),
        settle=N_(
            "SELECT @@hostname, @@read_only on a new connection, and ask who the primary is."
        ),
    ),
    Cause(
        name="interrupted",
        title=N_("The program broke into its own query"),
        meaning=N_(
            "An exception arrived in the middle of an exchange: a killed greenlet, a time limit, a "
            "signal, a converter that raised. Its answer may still come, so the connection had to "
            "be given up."
        ),
        evidence=N_(
            "An exception of the program's own, such as a time limit, came in the middle of an "
            "exchange; the server and other connections are well."
        ),
        fix=N_(
            "Nothing is wrong with the server. After a time limit: give the task more time, or "
            "bound the statement with max_execution_time (MySQL) or max_statement_time (MariaDB). "
            "After an error of your own code, such as a converter of OPTIONS['conv']: mend that."
        ),
    ),
    Cause(
        name="tls_failure",
        title=N_("TLS between client and server failed"),
        meaning=N_(
            "The two could not agree on an encrypted connection, or an encrypted one was broken."
        ),
        evidence=N_(
            "The number 2026 while connecting. In the middle of a session it is TLS only if the "
            "text says alert or bad record mac: any loss shows as an unexpected eof."
        ),
        fix=N_(
            "On connecting: check OPTIONS['ssl'] or ssl_mode, the certificate's names and dates, "
            "and the server's ssl_ca, ssl_cert and ssl_key. In the middle of a session something "
            "changed the bytes: a proxy or VPN on the way, a network card, or a forked process "
            "that uses the same connection."
        ),
    ),
    Cause(
        name="out_of_sync",
        title=N_("A command was sent while an answer was still unread"),
        meaning=N_(
            "Commands and answers no longer belong together: the result before was not read to its "
            "end, or somebody else used the connection."
        ),
        evidence=N_(
            "The number, 2014, proves that nothing was sent: the client refused since an earlier "
            "answer was still unread."
        ),
        fix=N_(
            "Read or close every cursor before the next statement, mainly after callproc() and "
            "multiple statements; never share a cursor."
        ),
    ),
    Cause(
        name="unreachable",
        title=N_("The server's address gives no answer"),
        meaning=N_(
            "Packets to the address are swallowed, or no route leads there: a firewall, a security "
            "group, a wrong address, or a host that is down."
        ),
        evidence=N_(
            "No answer at all within connect_timeout, or the system says that there is no route."
        ),
        fix=N_("Check HOST and PORT, the firewalls on the way, and whether the host is up."),
        settle=N_("Try the port from the same host: nc -vz HOST PORT."),
    ),
    Cause(
        name="connection_refused",
        title=N_("Nothing listens at the server's address"),
        meaning=N_(
            "The host answered that no server listens at that port: the server is down or still "
            "starting, or HOST and PORT are another machine's. In a container 127.0.0.1 is the "
            "container itself."
        ),
        evidence=N_(
            "A refusal comes at once, and proves that the host is up and reached, and that "
            "nothing listens on the port."
        ),
        fix=N_(
            "See whether the server runs, whether its port and bind_address are those of HOST and "
            "PORT, and let programs that start with it wait until it is ready."
        ),
        settle=N_("See whether the server was up at that time, and what its bind_address is."),
    ),
    Cause(
        name="socket_missing",
        title=N_("There is no socket file: localhost means the socket"),
        meaning=N_(
            "HOST is empty, localhost or a path, so the client looks for a Unix socket file of "
            "this machine, and there is none that it may use."
        ),
        evidence=N_(
            "The error names a path: there the client looked for the server's socket file."
        ),
        fix=N_(
            "To go over the network set HOST to 127.0.0.1 or the server's name. To use the socket "
            "set HOST to the path that SHOW VARIABLES LIKE 'socket' tells, and see that the server "
            "runs on this very machine or container."
        ),
        settle=N_("Compare the path in the error with SHOW VARIABLES LIKE 'socket'."),
    ),
    Cause(
        name="name_unknown",
        title=N_("The server's name is not known"),
        meaning=N_(
            "The name in HOST could not be turned into an address: it is misspelt, of another "
            "network, or the name server did not answer."
        ),
        evidence=N_(
            "getent hosts with the same name fails on the same host or in the same container."
        ),
        fix=N_(
            "Correct HOST. In containers the name is the service's, and both have to be in one "
            "network; if it comes and goes, the name server is the trouble."
        ),
        settle=N_("Ask for the name from the same host or container: getent hosts HOST."),
    ),
    Cause(
        name="access_denied",
        title=N_("The server refuses the account"),
        meaning=N_(
            "User name or password are wrong, or the account does not exist for this host, or has "
            "no right on the database. The server itself is well."
        ),
        evidence=N_(
            "The number is the proof. 'using password: NO' says that PASSWORD was empty where "
            "Django read it; the host behind the @ is the one that the server sees."
        ),
        fix=N_(
            "Compare the account in the error with SELECT user, host FROM mysql.user, and look "
            "whether a password was sent (using password: YES). Correct USER and PASSWORD, or "
            "CREATE USER and GRANT for this host. A password that was changed needs new processes."
        ),
        settle=N_("Log in with the same account from the same host, without Django."),
    ),
    Cause(
        name="unknown_database",
        title=N_("The server has no database of that name"),
        meaning=N_("The login succeeded, and the database in NAME does not exist on that server."),
        evidence=N_(
            "The number, 1049, is the proof; SHOW DATABASES with the same account shows what "
            "there is."
        ),
        fix=N_(
            "Correct NAME or HOST, or create the database: CREATE DATABASE … CHARACTER SET utf8mb4."
        ),
        settle=N_("SHOW DATABASES, with the same account on the same server."),
    ),
    Cause(
        name="proxy_without_server",
        title=N_("The proxy has no server to pass the work on to"),
        meaning=N_(
            "The connection to the proxy is well. The proxy found no server of the host group in "
            "time: all are down, shunned, or full."
        ),
        evidence=N_(
            "The number, 9001 or 9002, is ProxySQL's; its runtime_mysql_servers shows which "
            "servers are SHUNNED."
        ),
        fix=N_(
            "Look at ProxySQL's runtime_mysql_servers (status), its log, and max_connections of "
            "each server there; then at the servers themselves."
        ),
        settle=N_("SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers in ProxySQL."),
    ),
    Cause(
        name="pool_exhausted",
        title=N_("The pool had no connection to lend"),
        meaning=N_("All of max_size were in use, for longer than the pool's timeout."),
        evidence=N_(
            "The number is this package's own, and the text says how many connections are used "
            "and how many borrowers wait."
        ),
        fix=N_(
            "Hold connections shorter (no slow work inside atomic), or raise max_size within "
            "what max_connections allows."
        ),
        settle=N_("pools['default'].stats() shows who waits and what is used."),
    ),
)

CAUSES = {cause.name: cause for cause in _ALL}
"""The catalogue by name."""
