"""What the docs advise after a COMMIT without an answer, while the old session still lives.

The old session is a connection of its own here: without its client nobody can tell it from one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import tests
from django.db import connections, models
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import in_thread, say, wait_running

PAGE = Path(tests.__file__).parents[1] / "docs" / "what-may-be-repeated.md"


class Transfer(models.Model):
    reference = models.CharField(max_length=40, unique=True)
    amount = models.IntegerField()

    class Meta:
        app_label = "toolbox"


class Account:
    """Counts what was paid, by a row for each payment."""

    def pay(self, amount: int) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("INSERT INTO payment (amount) VALUES (%s)", [amount])


def documented() -> Any:
    """The function as it stands on the page."""
    code = re.search(r"```python\n(from django\.db import Integr.*?)```", PAGE.read_text(), re.S)
    assert code is not None
    names: dict[str, Any] = {"Transfer": Transfer}
    exec(code[1], names)
    return names["transfer_once"]


@contextmanager
def old_session(reference: str) -> Iterator[Any]:
    """Do the same work in a transaction that is not decided yet."""
    with pymysql.connect(
        unix_socket=SETUP["server"]["socket"],
        user="root",
        database=SETUP["database"]["NAME"],
        ssl_disabled=True,
    ) as old:
        with old.cursor() as cursor:
            cursor.execute(
                "INSERT INTO toolbox_transfer (reference, amount) VALUES (%s, 5)", [reference]
            )
            cursor.execute("INSERT INTO payment (amount) VALUES (5)")
        yield old


def second_try(reference: str, end: str) -> dict[str, Any]:
    """Repeat the work while the old transaction is open, then end that one."""
    with old_session(reference) as old:
        looked = Transfer.objects.filter(reference=reference).exists()
        with in_thread(lambda: documented()(reference, Account(), 5)) as answer:
            wait_running("INSERT INTO `toolbox_transfer`")
            getattr(old, end)()
    payments = admin("SELECT COUNT(*) FROM payment")[0][0]
    admin("DELETE FROM payment")
    return {"looked": looked, "did_it": answer[0], "payments": payments}


admin("CREATE TABLE payment (id INT AUTO_INCREMENT PRIMARY KEY, amount INT) ENGINE=InnoDB")
with connections["default"].schema_editor() as editor:
    editor.create_model(Transfer)
say({end: second_try(end, end) for end in ("commit", "rollback")})
