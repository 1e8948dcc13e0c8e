"""Benchmarks: this engine beside stock Django and beside another pool, on real servers.

They never decide whether a build passes. ``scripts/bench`` runs them and writes
``docs/benchmarks.md`` from the figures that they leave in ``benchmarks/results``.
"""

SITE_SPECIFICATION = "LIFELINE_BENCHMARK"
"""The environment variable from which `benchmarks.site` takes its driver and its database."""
