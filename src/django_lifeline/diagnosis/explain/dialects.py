"""Tracebacks as other tools print them: IPython, rich, Twisted, Frappe, loguru, uWSGI.

Each line is put into Python's own form, so that whoever reads the lines knows one form only.
"""

from __future__ import annotations

import re

TRACEBACK = re.compile(
    r"(?:Exception Group )?Traceback(?: \(most recent call last\):?|:)\s*$"
    # Frappe's, with variables.
    r"|Traceback with variables \(most recent call last\):\s*$"
)
FRAME = re.compile(
    r'\s*>? ?File "(?P<path>[^"\n]{1,400})",? ?(?:line \d+,? ?)?in (?P<name>.{1,120})'
)
_OTHER_FRAMES = (
    # IPython 8: "File ~/shop/models.py:12, in Order.total(self)"
    re.compile(r"File (?P<path>[^\s:\"]{1,400}):\d+, in (?P<name>[\w.<>]{1,120})"),
    # IPython 8, what was typed: "Cell In[5], line 1" and "Input In [5], in <cell line: 1>()"
    re.compile(
        r"(?P<path>(?:Cell|Input) In ?\[\d+\])(?:,? line \d+)?(?:, in (?P<name><.{1,60}>))?"
    ),
    # IPython 7: "/usr/lib/…/query.py in count(self)", "<ipython-input-5-0c7c> in <module>"
    re.compile(
        r"(?P<path>[~/][^\s\"]{1,400}\.py|<ipython-input[^>]{1,80}>) in (?P<name>[\w.<>]{1,120})"
        r"(?:\(.{0,400}\))?\s*$"
    ),
    # rich: "/srv/shop/tasks.py:42 in run"
    re.compile(r"(?P<path>[~/][^\s\"]{1,400}\.py):\d+ in (?P<name>[\w.<>]{1,120})\s*$"),
    # Twisted, in short: "/srv/shop/tasks.py:42:run"
    re.compile(r"\s*(?P<path>/[^\s\":]{1,400}\.py):\d+:(?P<name>[\w<>]{1,120})\s*$"),
    # uWSGI's tracebacker
    re.compile(
        r"thread_id = .{0,80} filename = (?P<path>\S{1,400}) lineno = \d+ "
        r"function = (?P<name>\S{1,120})"
    ),
)
_IPYTHON_CODE = re.compile(r"-+> ?\d+ ")
_BOX = re.compile(r"[│╭╰]─* ?(?P<body>.*?) ?─*[│╮╯]\s*$")


def plain(body: str) -> str:
    """Return *body* as Python itself would have printed it; most lines are returned as they are."""
    if body[:1] in "│╭╰" and body:
        box = _BOX.match(body)
        body = box["body"] if box else body
    if body[:1] == "-" and _IPYTHON_CODE.match(body):
        return "    " + body
    if "/" not in body and "In" not in body and "ipython" not in body:
        return body
    for pattern in _OTHER_FRAMES:
        found = pattern.match(body)
        if found:
            path = "<ipython>" if found["path"].startswith(("Cell", "Input")) else found["path"]
            return f'  File "{path}", line 0, in {_last_name(found["name"])}'
    return body


def _last_name(name: str | None) -> str:
    """IPython names the class as well: ``Connection.query``."""
    return "<module>" if not name else name if name[0] == "<" else name.rpartition(".")[2]
