"""This package's own numbers, for readers without Django, which `exceptions` needs."""

POOL_TIMEOUT = 51901
POOL_QUEUE_FULL = 51902
POOL_DEADLOCK = 51903
POOL_CLOSED = 51904

NAMES = {
    POOL_TIMEOUT: "PoolTimeout",
    POOL_QUEUE_FULL: "PoolQueueFull",
    POOL_DEADLOCK: "PoolDeadlock",
    POOL_CLOSED: "PoolClosed",
}
"""The exception of each."""
