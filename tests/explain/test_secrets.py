"""Nothing of a log's own text is shown: nasty logs, and what must not come out of them."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from django_lifeline.diagnosis.explain import command, explain

SECRET = "s3cr3t-Hunter2"
GONE = "(2006, 'MySQL server has gone away')"
FRAME = '  File "/srv/shop/orders/views.py", line 3, in pay\n'

NASTY = {
    "parameters_of_sqlalchemy": f"""Traceback (most recent call last):
{FRAME}    session.execute(stmt)
sqlalchemy.exc.OperationalError: (MySQLdb.OperationalError) {GONE}
[SQL: UPDATE users SET token='{SECRET}' WHERE id=%s]
[parameters: ('{SECRET}', 'ada@example.org')]
""",
    "password_in_code": f"""Traceback (most recent call last):
{FRAME}    connect(password="{SECRET}")
django.db.utils.OperationalError: {GONE}
""",
    "dsn_in_message": f"ERROR mysql://root:{SECRET}@db/shop failed: OperationalError{GONE}",
    "text_of_the_error": f"OperationalError: (2003, \"Can't connect to server on '{SECRET}'\")",
    "user_and_host": f"OperationalError: (1226, \"User '{SECRET}' has exceeded the 'x' resource\")",
    "function_name": f"""Traceback (most recent call last):
  File "/srv/a.py", line 1, in password='{SECRET}'
OperationalError: {GONE}
""",
    "file_name": f"""Traceback (most recent call last):
  File "/srv/token={SECRET}/x.py", line 1, in <module>
OperationalError: {GONE}
""",
    "class_name": f"{SECRET}.OperationalError: {GONE}",
    "job_name": f"""ERROR Job "mail('{SECRET}')" raised an exception
Traceback (most recent call last):
{FRAME}OperationalError: {GONE}
""",
    "url": f"""ERROR django.request Internal Server Error: /reset/{SECRET}/
Traceback (most recent call last):
{FRAME}OperationalError: {GONE}
""",
    "statement_verb": f"OperationalError: {GONE}\n[SQL: {SECRET.split('-')[1]} x]",
    "note": f"""Traceback (most recent call last):
{FRAME}OperationalError: {GONE}
Cause: {SECRET} (killed, certain)
Evidence: password={SECRET}
""",
    "time_of_json": json.dumps(
        {"time": SECRET, "pid": SECRET, "host": SECRET, "message": f"OperationalError: {GONE}"}
    ),
    "local_variables": f"""Traceback (most recent call last):
{FRAME}    pay(card)
Local vars:
    card = '{SECRET}'
OperationalError: {GONE}
""",
    "server_log": f"""2026-01-01  1:00:00 7 [Warning] Aborted connection 7 to db: '{SECRET}'
OperationalError: {GONE}
""",
}


@pytest.mark.parametrize("lang", ["en", "zh-hans"])
@pytest.mark.parametrize("name", NASTY)
def test_nothing_secret_is_shown(name: str, lang: str) -> None:
    explanation = explain(NASTY[name], lang)
    assert explanation.findings, "the loss itself must be seen"
    shown = str(explanation) + json.dumps(explanation.as_dict())
    for part in SECRET.split("-"):
        assert part not in shown
    assert "ada@" not in shown


def test_password_of_the_dsn_is_not_shown_when_the_server_cannot_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.log"
    log.write_text(f"OperationalError: {GONE}\n")
    dsn = f"mysql://root:{SECRET}@127.0.0.1:1/"
    options = argparse.Namespace(subject=str(log), dsn=dsn, json=False, lang="en")
    with pytest.raises(Exception, match="cannot be asked") as caught:
        command.run(options, io.StringIO())
    assert SECRET not in str(caught.value) + "".join(capsys.readouterr())
