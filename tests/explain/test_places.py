"""Where a loss happened, from the frames of its traceback."""

from __future__ import annotations

import pytest

from django_lifeline.diagnosis.explain.stack import Context, Frame, Place, Step, place_of

MODELS = "/v/lib/python3.12/site-packages/django/db/models/"
BACKENDS = "/v/lib/python3.12/site-packages/django/db/backends/"
VIEW = ("/v/lib/python3.12/site-packages/django/core/handlers/base.py", "_get_response")


def placed(*frames: tuple[str, str]) -> Place:
    found = tuple(Frame(path, function) for path, function in frames)
    return place_of(found, found)


@pytest.mark.parametrize(
    ("frames", "step"),
    [
        ([(BACKENDS + "mysql/base.py", "get_new_connection")], Step.CONNECT),
        ([(BACKENDS + "base/base.py", "_commit")], Step.COMMIT),
        ([(BACKENDS + "base/base.py", "_rollback")], Step.ROLLBACK),
        ([(BACKENDS + "base/base.py", "savepoint_commit")], Step.SAVEPOINT),
        ([(BACKENDS + "base/base.py", "close_if_health_check_failed")], Step.PING),
        ([(MODELS + "query.py", "bulk_create"), (MODELS + "base.py", "save")], Step.BULK),
        ([(MODELS + "query.py", "get_or_create"), (MODELS + "query.py", "create")], Step.WRITE),
        ([(MODELS + "query.py", "get_or_create"), (MODELS + "query.py", "get")], Step.READ),
        ([(MODELS + "sql/compiler.py", "cursor_iter")], Step.FETCH),
        ([("/srv/a/b.py", "save")], Step.STATEMENT),
    ],
)
def test_step_is_told_by_djangos_own_frames(frames: list[tuple[str, str]], step: Step) -> None:
    assert placed(*frames).step is step


@pytest.mark.parametrize(
    "frame",
    [
        ("/v/lib/python3.12/site-packages/django/contrib/sessions/backends/db.py", "load"),
        ("/v/lib/python3.12/site-packages/django/contrib/auth/middleware.py", "get_user"),
        ("/srv/shop/shop/middleware.py", "find_tenant"),
    ],
)
def test_first_query_is_that_of_session_user_or_middleware(frame: tuple[str, str]) -> None:
    assert placed(VIEW, frame).first_query
    assert not placed(frame).first_query


def test_saving_the_session_at_the_end_is_no_first_query() -> None:
    frame = ("/v/lib/python3.12/site-packages/django/contrib/sessions/backends/db.py", "save")
    assert not placed(VIEW, frame).first_query


def test_threads_of_the_web_server_are_part_of_the_request() -> None:
    thread = ("/usr/lib/python3.12/threading.py", "run")
    assert placed(thread, VIEW).contexts == {Context.WEB}
    assert placed(thread).contexts == {Context.THREAD}


def test_ready_of_an_app_is_no_health_check() -> None:
    assert placed(("/srv/shop/shop/apps.py", "ready")).contexts == frozenset()
    assert placed(("/srv/shop/shop/views.py", "healthz")).contexts == {Context.HEALTH}


def test_frames_of_this_package_are_not_the_applications() -> None:
    own = ("/srv/shop/shop/jobs.py", "mail")
    ours = ("/opt/src/django_lifeline/backends/borrowing.py", "ready")
    assert placed(own, ours).code == "shop/jobs.py in mail"


def test_development_server_is_no_management_command() -> None:
    command = ("/v/lib/python3.12/site-packages/django/core/management/base.py", "execute")
    server = ("/v/lib/python3.12/site-packages/django/core/management/commands/runserver.py", "run")
    assert placed(command).contexts == {Context.COMMAND}
    assert placed(command, server).contexts == frozenset()
