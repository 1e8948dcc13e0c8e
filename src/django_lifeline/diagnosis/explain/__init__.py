"""Reads tracebacks and logs, finds lost connections in them and says why they were lost.

Lines become `envelope.Line`, lines become `blocks.Block`, a block becomes a `losses.Loss`, losses
become `groups.Group`, and pure rules rank the causes of a group. Nothing of a log's own text is
ever shown but what was recognised: numbers, names of classes, functions and files.
"""

from __future__ import annotations

from django_lifeline.diagnosis.explain.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
