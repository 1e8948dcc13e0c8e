"""This package's own numbers, for readers without Django, which `exceptions` needs."""

POOL_TIMEOUT = 51901
POOL_QUEUE_FULL = 51902
POOL_DEADLOCK = 51903
POOL_CLOSED = 51904
CREDENTIALS_UNAVAILABLE = 51910

NAMES = {
    POOL_TIMEOUT: "PoolTimeout",
    POOL_QUEUE_FULL: "PoolQueueFull",
    POOL_DEADLOCK: "PoolDeadlock",
    POOL_CLOSED: "PoolClosed",
    CREDENTIALS_UNAVAILABLE: "CredentialsUnavailable",
}
"""The exception of each."""
