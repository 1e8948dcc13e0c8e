"""A local SMTP server that delivers nowhere: it writes each mail into a file, as a line of JSON.

A mail is in the file before the sender is told that it was taken, as with any good SMTP server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"
SLOWEST = 60.0


class Inbox:
    """What aiosmtpd calls for each mail."""

    def __init__(self, path: Path, answer_after: float) -> None:
        self.path = path
        self.answer_after = answer_after

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        await asyncio.sleep(min(float(mail.get("X-Slow-Seconds", 0)), SLOWEST))
        line = {
            "at": time.time(),
            "message_id": mail["Message-ID"],
            "to": envelope.rcpt_tos[0],
            "subject": mail["Subject"],
            "body": mail.get_content()[:4000],
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self.answer_after:
            await asyncio.sleep(self.answer_after)
        return "250 taken"


async def serve(port: int, inbox: Inbox) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="sink", loop=loop), HOST, port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--answer-after", type=float, default=0, help="seconds between the two")
    given = parser.parse_args()
    asyncio.run(serve(given.port, Inbox(given.file, given.answer_after)))


if __name__ == "__main__":
    main()
