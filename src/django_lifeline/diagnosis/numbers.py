"""Which error numbers name their cause by themselves, for the engine and for logs alike."""

from __future__ import annotations

from django_lifeline.core import classification as codes

CAUSE_OF: dict[int | None, str] = {
    codes.CR_UNKNOWN_HOST: "name_unknown",
    codes.CR_NET_PACKET_TOO_LARGE: "packet_too_large",
    codes.CR_SSL_CONNECTION_ERROR: "tls_failure",
    codes.ER_CON_COUNT_ERROR: "too_many_connections",
    codes.ER_DBACCESS_DENIED_ERROR: "access_denied",
    codes.ER_ACCESS_DENIED_ERROR: "access_denied",
    codes.ER_ACCESS_DENIED_NO_PASSWORD_ERROR: "access_denied",
    codes.ER_BAD_DB_ERROR: "unknown_database",
    codes.ER_HOST_IS_BLOCKED: "host_blocked",
    codes.ER_HOST_NOT_PRIVILEGED: "host_blocked",
    codes.ER_TOO_MANY_USER_CONNECTIONS: "user_limit",
    codes.ER_USER_LIMIT_REACHED: "user_limit",
    codes.ER_SERVER_SHUTDOWN: "server_restarted",
    codes.ER_NET_PACKET_TOO_LARGE: "packet_too_large",
    codes.ER_CONNECTION_KILLED: "killed",
    codes.ER_SESSION_WAS_KILLED: "killed",
    codes.ER_CLIENT_INTERACTION_TIMEOUT: "idle_timeout",
    codes.ER_OPTION_PREVENTS_STATEMENT: "read_only",
    codes.ER_READ_ONLY_MODE: "read_only",
    codes.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: "read_only",
}
"""Causes by number."""
