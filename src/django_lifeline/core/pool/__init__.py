"""The pool: told how to connect and what a connection can do; knows no driver, no Django."""

from django_lifeline.core.events import Reason
from django_lifeline.core.pool.budget import Budget
from django_lifeline.core.pool.connection import Lifetimes, PooledConnection
from django_lifeline.core.pool.direct import DirectPool
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.pool import Pool
from django_lifeline.core.pool.stats import PoolStats

__all__ = [
    "Budget",
    "DirectPool",
    "Lease",
    "Lifetimes",
    "Pool",
    "PoolStats",
    "PooledConnection",
    "Reason",
]
