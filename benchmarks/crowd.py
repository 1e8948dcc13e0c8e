"""Many visitors at once, in a process of their own.

    python -m benchmarks.crowd PORT COUNT

Prints one line of JSON: the seconds from the first knock to the last answer, and what failed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

REQUEST = b"GET /slow/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"


async def visit(port: int) -> str:
    """Fetch the slow page; the error it tells, or nothing."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    except OSError as error:
        return type(error).__name__
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError):
        return head.partition(b"\r\n")[0].decode() or "no answer"


async def crowd(port: int, count: int) -> dict[str, object]:
    """Let all visit at the same time."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(visit(port) for _ in range(count)))
    seconds = time.perf_counter() - began
    errors = Counter(answer for answer in answers if answer)
    return {"seconds": round(seconds, 4), "requests": count, "errors": dict(errors)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(int(sys.argv[1]), int(sys.argv[2])))))
