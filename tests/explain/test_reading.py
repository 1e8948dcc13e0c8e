"""From bytes to lines, from lines to tracebacks: whatever is in the log, in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.explain import Explanation, blocks, explain, groups, stamps
from django_lifeline.diagnosis.explain.envelope import Line, unwrapped
from django_lifeline.diagnosis.explain.explanation import Reader
from django_lifeline.diagnosis.explain.signs import sign_in
from django_lifeline.diagnosis.explain.source import LINE_LIMIT, Progress, lines_of
from django_lifeline.diagnosis.explain.stack import Context, Step
from django_lifeline.diagnosis.explain.variables import Variables
from django_lifeline.diagnosis.model import Confidence, Diagnosis

GONE = "django.db.utils.OperationalError: (2006, 'Server has gone away')"
TRACEBACK = f'Traceback (most recent call last):\n  File "/srv/a/b.py", line 1, in c\n{GONE}\n'


def stream(content: bytes) -> BinaryIO:
    return io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]


def read(content: bytes) -> list[str]:
    return list(lines_of(stream(content)))


# --- bytes -----------------------------------------------------------------------------------


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert read(b"a\xff\xfeb\nc") == ["a��b", "c"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_are_told_by_their_marks(encoding: str) -> None:
    assert read("été\r\nx\n".encode(encoding)) == ["été", "x"]


def test_a_line_without_end_is_cut_and_the_next_is_whole() -> None:
    assert read(b"x" * (3 * LINE_LIMIT) + b"\nnext\n") == ["x" * LINE_LIMIT, "next"]


def test_compressed_input_is_unpacked() -> None:
    assert read(gzip.compress(b"one\ntwo\n")) == ["one", "two"]


def test_damaged_compressed_input_gives_what_came_before_and_a_warning() -> None:
    whole = gzip.compress("\n".join(str(n) for n in range(100_000)).encode(), mtime=0)
    said: list[str] = []
    lines = list(lines_of(stream(whole[: len(whole) // 2]), said.append))
    assert lines[0] == "0"
    assert said


def test_empty_input_has_no_loss() -> None:
    assert read(b"") == []
    assert not explain("").findings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n" * 50_000)
    for screen, drawn in ((Terminal(), True), (io.StringIO(), False)):
        with path.open("rb") as raw:
            count = sum(1 for _ in Progress(raw, screen).over(lines_of(raw)))
        assert count == 50_000
        assert ("%" in screen.getvalue()) is drawn


def test_progress_is_silent_where_the_size_is_unknown() -> None:
    screen = Terminal()
    assert list(Progress(stream(b"a\n"), screen).over(iter(["a"]))) == ["a"]
    assert screen.getvalue() == ""


# --- wrappings -------------------------------------------------------------------------------

T = "2026-03-01 10:00:00,123"


@pytest.mark.parametrize(
    ("text", "body", "worker", "level"),
    [
        (f"{T} ERROR django.request Oh", "django.request Oh", "", "ERROR"),
        (f"ERROR {T} views 1234 140012345678 Oh", "Oh", "1234/140012345678", "ERROR"),
        ("[2026-03-01 10:00:00 +0000] [77] [ERROR] Oh", "Oh", "77", "ERROR"),
        (f"[{T}: ERROR/ForkPoolWorker-3] Oh", "Oh", "ForkPoolWorker-3", "ERROR"),
        (f"{T} pid=9 [Thread-4] WARNING Oh", "Oh", "9", "WARNING"),
        ("ERROR:root:Oh", "ERROR:root:Oh", "", "ERROR"),
        ("[pid: 31|app: 0|req: 1/2] GET /", "GET /", "31", ""),
        ('[01/Mar/2026 10:00:00] "GET / HTTP/1.1" 200', '"GET / HTTP/1.1" 200', "", ""),
    ],
)
def test_prefixes_of_loggers_are_taken_off(text: str, body: str, worker: str, level: str) -> None:
    (line,) = unwrapped(1, text)
    assert (line.body, line.worker, line.level, line.head) == (body, worker, level, True)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('web-1  |   File "x"', "web-1"),
        ('Mar  1 10:00:00 box app[12]:   File "x"', "app[12]"),
        ('<13>1 2026-03-01T10:00:00.1+00:00 box app[12]:   File "x"', "app[12]"),
        ('2026-03-01T10:00:00.123456789Z stderr F   File "x"', ""),
        ('2026-03-01T10:00:00.123456789Z   File "x"', ""),
    ],
)
def test_carriers_are_taken_off_and_indentation_is_kept(text: str, source: str) -> None:
    (line,) = unwrapped(1, text)
    assert (line.body, line.source) == ('  File "x"', source)


def test_json_record_becomes_its_lines() -> None:
    record = {"message": "Oh", "exc_info": "Traceback:\n  File", "level": "error", "pid": 3}
    lines = list(unwrapped(1, json.dumps(record)))
    assert [line.body for line in lines] == ["Oh", "Traceback:", "  File"]
    assert (lines[0].level, lines[0].worker) == ("ERROR", "3")


@pytest.mark.parametrize("text", ["{", "{}", "{not json}", '{"a": ' * 500 + "}", "[1]", "{1: 2}"])
def test_what_only_looks_like_json_is_a_line(text: str) -> None:
    assert len(list(unwrapped(1, text))) == 1


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1970-01-02 00:00:00", 86400.0),
        ("1970-01-01T01:00:00.5Z", 3600.5),
        ("1970-01-01 02:00:00,250 +0200", 0.25),
        ("02/Jan/1970:00:00:10 +0000", 86410.0),
        ("Thu Jan  1 00:01:00 1970", 60.0),
        ("2026-13-40 00:00:00", None),
        ("Foo  1 00:00:00", None),
        ("no time", None),
    ],
)
def test_stamps_are_read(stamp: str, seconds: float | None) -> None:
    assert stamps.seconds_of(stamp) == seconds


# --- signs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GONE, 2006),
        ("pymysql.err.InterfaceError: (0, '')", 0),
        ("OperationalError(2013, 'Lost connection to MySQL server during query')", 2013),
        ("sqlalchemy.exc.OperationalError: (MySQLdb.OperationalError) (2006, 'x')", 2006),
        ("mysql.connector.errors.OperationalError: 2055: Lost connection", 2055),
        ("ERROR 2013 (HY000): Lost connection to MySQL server during query", 2013),
        # The number wins over the text.
        ("OperationalError: (2013, 'MySQL server has gone away')", 2013),
    ],
)
def test_numbers_are_found(text: str, code: int) -> None:
    sign = sign_in(text)
    assert sign is not None
    assert (sign.code, sign.certain) == (code, True)


@pytest.mark.parametrize(
    "text",
    [
        "best album: (2006, 'The Back Room')",
        "ValueError: (2013, 'no such year')",
        "OperationalError: (1205, 'Lock wait timeout exceeded')",
        "OperationalError: (1290, 'running with the --secure-file-priv option')",
        "psycopg2.OperationalError: server closed the connection unexpectedly",
        "ConnectionError: Connection closed by server.",
        "Too many connections",
        "OperationalError: 99999: x",
    ],
)
def test_look_alikes_are_no_losses(text: str) -> None:
    assert sign_in(text) is None


def test_a_text_alone_is_uncertain_and_ignored_where_somebody_only_tells_of_it() -> None:
    sign = sign_in("why MySQL server has gone away")
    assert sign is not None and not sign.certain
    assert sign_in("why MySQL server has gone away", "INFO") is None


# --- tracebacks ------------------------------------------------------------------------------


def test_reversed_traceback_is_turned_round() -> None:
    text = f'{GONE}\n    x()\n  File "/a/django/db/transaction.py", line 1, in __enter__\n'
    finding = explain(text + '  File "/srv/a/b.py", line 1, in c\n').findings[0]
    assert finding.group.place.code == "a/b.py in c"


def test_reversed_traceback_has_its_innermost_frame_first() -> None:
    inner, outer = ('  File "/srv/a/in.py", line 1, in f', '  File "/srv/a/out.py", line 1, in g')
    finding = explain(f"{GONE}\n    x()\n{inner}\n    y()\n{outer}\n").findings[0]
    assert finding.group.place.code == "a/in.py in f"


def test_error_named_before_its_traceback_has_the_frames_of_that() -> None:
    frames = '  File "/s/django/db/models/base.py", line 1, in save'
    text = f"[ERROR] {GONE}\rTraceback (most recent call last):\r{frames}\rEND RequestId: 4"
    (finding,) = explain(text.replace("\r", "\n")).findings
    assert finding.facts.step is Step.WRITE


@pytest.mark.parametrize(
    ("before", "context"),
    [
        ("ERROR: test_a (shop.tests.T.test_a)\n" + "-" * 70, Context.TEST),
        ("Exception in thread mailer:", Context.THREAD),
        ("Process Process-1:", Context.PROCESS),
        (f"{T} ERROR django.request Internal Server Error: /", Context.WEB),
        (f"[{T}: ERROR/ForkPoolWorker-1] Task a.b[1] raised unexpected: X()", Context.CELERY),
        (
            f'{T} ERROR apscheduler.executors.default Job "a (trigger: x)" raised',
            Context.APSCHEDULER,
        ),
    ],
)
def test_kind_of_program_is_told_by_the_line_before(before: str, context: Context) -> None:
    assert explain(f"{before}\n{TRACEBACK}").findings[0].facts.contexts == {context}


def test_time_since_the_last_success_is_that_of_the_process() -> None:
    log = (
        "2026-03-01 10:00:00 [1] DEBUG django.db.backends (0.001) SELECT 1; args=()\n"
        "2026-03-01 10:05:00 [1] INFO x\n2026-03-01 10:06:00 [2] INFO job succeeded\n"
        f"2026-03-01 10:10:00 [1] ERROR {GONE}\n"
    )
    assert explain(log).findings[0].group.longest_since_success == 600.0


def test_marker_lines_are_no_code_of_their_own() -> None:
    text = TRACEBACK.replace("in c\n", "in c\n    x(1)\n    ~^^^\n")
    assert explain(text).findings[0].group.place.code == "a/b.py in c"


def test_step_is_that_of_the_first_error_not_of_the_rollback_after_it() -> None:
    after = TRACEBACK.replace("/srv/a/b.py", "/s/django/db/backends/base/base.py").replace(
        "in c", "in _rollback"
    )
    link = "\nDuring handling of the above exception, another exception occurred:\n\n"
    write = TRACEBACK.replace("/srv/a/b.py", "/s/django/db/models/base.py").replace(
        "in c", "in save"
    )
    (finding,) = explain(write + link + after).findings
    assert finding.facts.step is Step.WRITE


def test_two_tracebacks_in_a_row_are_two_losses() -> None:
    assert explain(TRACEBACK + TRACEBACK).findings[0].group.count == 2


def test_traceback_that_is_cut_off_by_the_next_record_is_no_loss() -> None:
    start = TRACEBACK.rsplit("\n", 2)[0]
    assert not explain(f"{start}\n{T} INFO all is well\n").findings


def test_exception_is_explained_with_its_chain_and_its_notes() -> None:
    class OperationalError(Exception):
        pass

    error = OperationalError(2006, "Server has gone away")
    diagnosis = Diagnosis(
        cause="killed",
        confidence=Confidence.CERTAIN,
        label=Label.ROLLED_BACK,
        advice="Run it again.",
    )
    error.add_note(diagnosis.note())
    explanation = explain(error)
    assert explanation.findings[0].facts.code == 2006
    assert explanation.findings[0].cause == "killed"
    assert "Nothing of the transaction is stored" in str(explanation)


def test_exception_is_placed_by_the_callers_of_the_code_that_caught_it() -> None:
    class OperationalError(Exception):
        pass

    told: list[Explanation] = []

    def work() -> None:
        try:
            raise OperationalError(2006, "Server has gone away")
        except OperationalError as error:
            told.append(explain(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert Context.THREAD in told[0].findings[0].facts.contexts


def test_closing_the_cursor_of_a_failed_query_shows_the_way_to_it() -> None:
    link = "\nDuring handling of the above exception, another exception occurred:\n\n"
    closing = TRACEBACK.replace("/srv/a/b.py", "/s/django/db/models/query.py").replace(
        "in c\n", 'in count\n  File "/s/MySQLdb/cursors.py", line 1, in close\n'
    )
    (finding,) = explain(TRACEBACK + link + closing).findings
    assert finding.facts.step is Step.READ


def test_pause_is_that_of_the_process_itself() -> None:
    log = (
        "2026-03-01 00:00:00 [1] INFO a\n"
        "2026-03-01 09:59:59 [2] INFO b\n"
        f"2026-03-01 10:00:00 [1] ERROR {GONE}\n"
    )
    assert explain(log).findings[0].facts.longest_pause == 36000.0


@pytest.mark.parametrize(("minutes", "follows"), [(2, 2013), (20, None)])
def test_a_dead_handle_is_known_by_the_loss_shortly_before(
    minutes: int, follows: int | None
) -> None:
    log = (
        "2026-03-01 10:00:00 [1] ERROR OperationalError: (2013, 'Lost connection')\n"
        f"2026-03-01 10:{minutes:02d}:00 [1] ERROR {GONE}\n"
    )
    codes = {finding.facts.code: finding.facts.follows for finding in explain(log).findings}
    assert codes == {2013: None, 2006: follows}


def test_variables_are_those_in_force_at_the_loss() -> None:
    table = "| wait_timeout | {} |\n"
    before, after = table.format(60), table.format(28800)
    for log, value in ((before + GONE + "\n" + after, 60), (GONE + "\n" + after, 28800)):
        facts = explain(log).findings[0].facts
        assert facts.variables["wait_timeout"] == value
    assert explain(before + GONE + "\n" + after).findings[0].facts.changed_later == {
        "wait_timeout": 28800
    }


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("| max_allowed_packet | 16777216 |", "max_allowed_packet", 16 << 20),
        ("max_allowed_packet=64M", "max_allowed_packet", 64 << 20),
        ("SET GLOBAL wait_timeout = 600;", "wait_timeout", 600),
        ("set @@global.net_write_timeout=120", "net_write_timeout", 120),
        ("wait_timeout\t28800", "wait_timeout", 28800),
    ],
)
def test_variables_are_read_as_people_write_them(text: str, name: str, value: int) -> None:
    variables = Variables()
    assert variables.read(1, text)
    assert variables.at(1) == {name: value}


@pytest.mark.parametrize(
    "text", ["| innodb_lock_wait_timeout | 50 |", "wait_timeout is too small", "max_connections"]
)
def test_other_variables_and_prose_are_not_read(text: str) -> None:
    assert not Variables().read(1, text)


# --- bounds ----------------------------------------------------------------------------------


def test_processes_are_forgotten_before_they_are_too_many() -> None:
    assembler = blocks.Assembler()
    for number in range(3 * blocks.STREAMS):
        list(assembler.feed(Line(number, "x", worker=str(number), head=True)))
    assert assembler.streams <= blocks.STREAMS


def test_an_unfinished_traceback_of_a_forgotten_process_is_told_all_the_same() -> None:
    reader = Reader()
    reader.read([f"[1] ERROR {GONE}"])
    reader.read(f"[{number}] INFO x" for number in range(2, 2 * blocks.STREAMS))
    assert len(reader.explanation().findings) == 1


def test_shapes_of_losses_are_bounded() -> None:
    shapes = "".join(TRACEBACK.replace("in c", f"in c{n}") for n in range(3 * groups.GROUPS))
    explanation = explain(shapes)
    assert len(explanation.findings) <= groups.GROUPS + 1
    assert sum(finding.group.count for finding in explanation.findings) == 3 * groups.GROUPS


def test_indented_text_after_a_traceback_does_not_hide_what_comes_later() -> None:
    reader = Reader()
    reader.read(["Traceback (most recent call last):", *["    x"] * 10_000, f"    {GONE}"])
    assert len(reader.explanation().findings) == 1


def test_a_traceback_without_end_is_given_up() -> None:
    frames = ['  File "/srv/a/b.py", line 1, in c'] * 20_000
    reader = Reader()
    reader.read(["Traceback (most recent call last):", *frames, GONE])
    assert sum(finding.group.count for finding in reader.explanation().findings) == 1
