"""Examines a configuration before it fails: facts, rules, findings.

`settings`, `server`, `project` and `layout` gather; `facts` is what they bring; ``rules`` decide,
each a pure function; ``text``, ``page`` and ``messages`` show.
"""
