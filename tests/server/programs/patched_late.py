"""Connects over TLS, and again after gevent has patched, as in a child of a preloaded parent."""

from __future__ import annotations

import json
import ssl

import tests.fixtures.program_setup  # noqa: F401
from django.db import connection


def context_and_cipher() -> tuple[type, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        cipher = cursor.fetchone()[1]
    return type(connection.connection._sock.context), cipher


before, cipher = context_and_cipher()
stock = ssl.SSLContext
connection.pool.drain()
connection.close()

from gevent import monkey  # noqa: E402

# No threads here: Django's locals stay as they are, and only what TLS is made of changes.
monkey.patch_socket()
monkey.patch_ssl()
after, again = context_and_cipher()
print(
    json.dumps(
        {
            "encrypted": bool(cipher and again),
            "patched": ssl.SSLContext is not stock,
            "own": [before is stock, after is ssl.SSLContext],
        }
    )
)
