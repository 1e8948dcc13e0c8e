"""Glue to other packages: one optional dependency, one file.

None is needed for correctness. They give connections back as soon as a piece of work is over,
and end them politely when a worker process ends.
"""
