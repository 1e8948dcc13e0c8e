"""Sources of credentials: who asks them, how often, and what is said where they give none."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import MySQLdb
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.db.backends.mysql import creation as stock_creation
from django.utils.functional import lazystr

from django_lifeline import Credentials
from django_lifeline.backends import assembly, credentials
from django_lifeline.backends.client import DatabaseClient
from django_lifeline.backends.credentials import Source, connect_with, source_of
from django_lifeline.backends.mysql.base import DatabaseWrapper
from django_lifeline.core.options import LifelineOptions, OptionError, lifeline_options
from django_lifeline.exceptions import CREDENTIALS_UNAVAILABLE, CredentialsUnavailable

Connect = Callable[..., Any]
SECRET = "hidden-word"
FAR = time.time() + 3600
PLACE = "DATABASES['default']"
PATIENCE = 10.0


class Vault:
    """Gives one password after another, and counts how often it was asked."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def password_for_tests() -> str:
    """What a dotted path leads to."""
    return SECRET


def source(vault: Callable[[], object]) -> Source:
    found = source_of(LifelineOptions(credentials=vault))
    assert found is not None
    return found


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class FakeLogin:
    """Connects where the password is the right one, and keeps what it was given."""

    def __init__(self, right: str) -> None:
        self.right = right
        self.tried: list[Any] = []

    def __call__(self, params: Any) -> str:
        self.tried.append(dict(params))
        if params.get("password") != self.right:
            raise MySQLdb.OperationalError(1045, "Access denied")
        return "connected"


def log_in(vault: Callable[[], object], server: FakeLogin, **params: Any) -> str:
    return connect_with(source(vault), params, server, place=PLACE, errors=MySQLdb.OperationalError)


def test_answer_takes_the_place_of_the_settings_password() -> None:
    server = FakeLogin(SECRET)
    assert log_in(Vault(("shop", SECRET)), server, user="x", password="y", host="db") == "connected"
    assert server.tried == [{"user": "shop", "password": SECRET, "host": "db"}]


def test_without_an_end_each_connect_asks() -> None:
    vault = Vault(SECRET)
    asked = source(vault)
    for _ in range(3):
        asked.ask(PLACE)
    assert vault.asked == 3


def test_with_an_end_it_is_asked_again_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(Credentials("first", expires_at=FAR), Credentials("second", expires_at=2 * FAR))
    asked = source(vault)
    assert [asked.ask(PLACE).password for _ in range(3)] == ["first"] * 3
    monkeypatch.setattr(credentials.clock, "now", lambda: FAR)
    assert asked.latest() is None
    assert [asked.ask(PLACE).password for _ in range(3)] == ["second"] * 3
    assert vault.asked == 2


def test_refused_password_is_asked_for_once_more() -> None:
    vault = Vault(Credentials("old", expires_at=FAR), Credentials(SECRET, expires_at=FAR))
    server, kept = FakeLogin(SECRET), source(vault)
    assert log_in(vault, server) == "connected"
    assert log_in(vault, server) == "connected"
    assert [tried["password"] for tried in server.tried] == ["old", SECRET, SECRET]
    assert vault.asked == 2 and kept.latest() is not None


def test_password_that_is_still_the_refused_one_is_not_tried_again() -> None:
    vault = Vault(Credentials("wrong", expires_at=FAR))
    server = FakeLogin(SECRET)
    with pytest.raises(MySQLdb.OperationalError, match="1045"):
        log_in(vault, server)
    assert (len(server.tried), vault.asked) == (1, 2)


def test_second_refusal_is_the_callers() -> None:
    vault = Vault("one", "two", "three")
    with pytest.raises(MySQLdb.OperationalError, match="1045"):
        log_in(vault, FakeLogin(SECRET))
    assert vault.asked == 2


def test_other_errors_ask_nobody() -> None:
    def unreachable(params: Any) -> str:
        raise MySQLdb.OperationalError(2003, "Can't connect")

    vault = Vault(SECRET)
    with pytest.raises(MySQLdb.OperationalError, match="2003"):
        connect_with(source(vault), {}, unreachable, place=PLACE, errors=MySQLdb.OperationalError)
    assert vault.asked == 1


class Slow(Vault):
    """Answers when it is told to."""

    def __init__(self, *answers: object) -> None:
        super().__init__(*answers)
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self) -> Any:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        return super().__call__()


def waiting(asked: Source) -> int:
    call = asked._call
    return 0 if call is None else len(call.over._cond._waiters)  # type: ignore[attr-defined]


def test_those_who_connect_at_the_same_moment_ask_once_and_no_lock_is_held_meanwhile() -> None:
    vault = Slow(SECRET)
    asked = source(vault)
    with ThreadPoolExecutor(8) as threads:
        results = [threads.submit(asked.ask, PLACE) for _ in range(8)]
        eventually(lambda: waiting(asked) == 7)
        assert not asked._lock.locked()
        vault.go.set()
        assert {result.result(PATIENCE).password for result in results} == {SECRET}
    assert vault.asked == 1


def test_failure_is_told_to_all_who_waited_and_the_next_one_asks_again() -> None:
    vault = Slow(ConnectionError(SECRET), SECRET)
    asked = source(vault)
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(asked.ask, PLACE) for _ in range(3)]
        eventually(lambda: waiting(asked) == 2)
        vault.go.set()
        errors = [result.exception(PATIENCE) for result in results]
    assert {type(error) for error in errors} == {CredentialsUnavailable}
    assert len({id(error) for error in errors}) == 3
    assert asked.ask(PLACE).password == SECRET


def test_who_waited_for_a_call_that_something_broke_into_asks_himself() -> None:
    vault = Slow(KeyboardInterrupt(), SECRET)
    asked = source(vault)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(asked.ask, PLACE)
        assert vault.begun.wait(PATIENCE)
        second = threads.submit(asked.ask, PLACE)
        eventually(lambda: waiting(asked) == 1)
        vault.go.set()
        assert isinstance(first.exception(PATIENCE), KeyboardInterrupt)
        assert second.result(PATIENCE).password == SECRET


def test_refusal_is_not_answered_with_what_was_asked_for_before_it() -> None:
    old, new = (Credentials(word, expires_at=FAR) for word in ("old", SECRET))
    vault = Slow(old, new)
    asked = source(vault)
    with ThreadPoolExecutor(2) as threads:
        early = threads.submit(asked.ask, PLACE)
        assert vault.begun.wait(PATIENCE)
        refused = threads.submit(asked.ask_after, old, PLACE)
        eventually(lambda: waiting(asked) == 1)
        vault.go.set()
        assert early.result(PATIENCE).password == "old"
        assert refused.result(PATIENCE) == new


def test_forked_child_does_not_wait_for_its_parents_thread() -> None:
    vault = Slow(SECRET)
    asked = source(vault)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(asked.ask, PLACE)
        assert vault.begun.wait(PATIENCE)
        asked._pid = -1  # as a child sees it
        vault.go.set()
        assert asked.ask(PLACE).password == SECRET
        first.result(PATIENCE)
    assert asked._pid == os.getpid()


def test_source_that_uses_the_database_it_opens_is_told_so() -> None:
    def recursive() -> Any:
        return asked.ask(PLACE)

    asked = source(recursive)
    with pytest.raises(CredentialsUnavailable) as caught:
        asked.ask(PLACE)
    assert isinstance(caught.value.__cause__, ImproperlyConfigured)
    assert "uses a database that it gives the credentials of" in str(caught.value.__cause__)


def test_who_names_the_same_source_shares_it_and_it_goes_with_its_last_user() -> None:
    vault = Vault(SECRET)
    one, other = source(vault), source(vault)
    assert one is other and source(Vault(SECRET)) is not one
    path = "tests.unit.backends.test_credentials.password_for_tests"
    dotted = [source_of(LifelineOptions(credentials=path)) for _ in range(2)]
    assert dotted[0] is dotted[1]
    before = len(credentials._sources)
    del one, other, dotted
    assert len(credentials._sources) < before


def test_dotted_path_is_imported_when_it_is_needed() -> None:
    found = source_of(LifelineOptions(credentials=f"{__name__}.password_for_tests"))
    assert found is not None and found.ask(PLACE).password == SECRET


def test_file_is_read_for_each_connection(tmp_path: Path) -> None:
    path = tmp_path / "password"
    found = source_of(LifelineOptions(password_file=path))
    assert found is not None
    given = []
    for word in ("first", "second"):
        path.write_text(f"{word}\n")
        given.append(found.ask(PLACE).password)
    assert given == ["first", "second"]


def failing(tmp_path: Path) -> dict[str, tuple[LifelineOptions, str]]:
    """Sources that give nothing, and what is to be said of each."""
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff" + SECRET.encode())

    def of(credentials: Any) -> LifelineOptions:
        return LifelineOptions(credentials=credentials)

    return {
        "raises": (of(Vault(ValueError(SECRET))), "raised ValueError"),
        "kind": (of(Vault(SECRET.encode())), "it gave a bytes"),
        "partial": (of(partial(str.encode, SECRET)), "it gave a bytes"),
        "path": (of("no_such_module.password"), "leads nowhere"),
        "value": (of(f"{__name__}.SECRET"), "is a str, which cannot be called"),
        "missing": (LifelineOptions(password_file=tmp_path / "none"), "No such file"),
        "empty": (LifelineOptions(password_file=empty), "is empty"),
        "binary": (LifelineOptions(password_file=binary), "is no text in UTF-8"),
    }


@pytest.mark.parametrize("name", "raises kind partial path value missing empty binary".split())
def test_what_gives_no_password_is_named_with_its_setting_and_never_its_value(
    tmp_path: Path, name: str
) -> None:
    options, said = failing(tmp_path)[name]
    found = source_of(options)
    assert found is not None
    with pytest.raises((CredentialsUnavailable, ImproperlyConfigured), match=said) as caught:
        found.ask(PLACE)
    text = caught.value.args[-1]
    assert text.startswith(f"{PLACE}['OPTIONS']['lifeline']['{found.setting}'] (")
    shown = "".join(traceback.format_exception(caught.value)) if name != "raises" else text
    assert SECRET not in f"{shown} {found!r} {options!r} {text}"
    if isinstance(caught.value, CredentialsUnavailable):
        assert isinstance(caught.value, OperationalError)
        assert caught.value.args[0] == CREDENTIALS_UNAVAILABLE


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"credentials": "not a path: " + SECRET}, "'credentials'.*no dotted path"),
        ({"credentials": {"password": SECRET}}, "'credentials'.* is a dict"),
        ({"password_file": SECRET}, "'password_file'.*absolute path"),
        ({"password_file": 7}, "'password_file'.*absolute path"),
        ({"credentials": "a.b", "password_file": "/c"}, "both"),
    ],
)
def test_setting_that_names_no_source_is_refused_without_its_value(given: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said) as refused:
        lifeline_options(given)
    assert SECRET not in str(refused.value)


# The engine


def test_changing_user_and_password_keep_one_pool_and_its_connections(
    connect: Connect, server: Any
) -> None:
    vault = Vault(*[(f"user{number}", f"{SECRET}{number}") for number in range(60)])
    options = {"lifeline": {"credentials": vault}, "pool": {"max_size": 3}}
    wrapper = connect(OPTIONS=options)
    for _ in range(60):
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
        wrapper.close()
        wrapper.pool.drain()
    assert vault.asked == len(server.sessions) == 60
    assert len(list(assembly.targets)) == 1
    assert wrapper.target.name == "shopkeeper@localhost/shop"


class ByParams(DatabaseWrapper):
    """Brings a token of its own, as many sites' engines do."""

    tokens = 0

    def get_connection_params(self) -> dict[str, Any]:
        ByParams.tokens += 1
        return {
            **super().get_connection_params(),
            "password": f"{SECRET}{self.tokens}",
        }


class ByUser(ByParams):
    """A new user with each password, as Vault gives them."""

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "user": f"user{self.tokens}"}


class ByTurn(DatabaseWrapper):
    """One of several users."""

    turn = 0

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "user": f"user{self.turn}"}


class ByConnection(DatabaseWrapper):
    """The same in the other place."""

    tokens = 0

    def get_new_connection(self, conn_params: Any) -> Any:
        ByConnection.tokens += 1
        return super().get_new_connection({**conn_params, "password": f"{SECRET}{self.tokens}"})


@pytest.mark.parametrize("kind", [ByParams, ByConnection])
def test_engines_that_bring_a_token_have_one_pool(connect: Connect, kind: Any) -> None:
    pools = set()
    for _ in range(60):
        wrapper = connect(kind=kind)
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
        wrapper.close()
        wrapper.pool.drain()
        pools.add(wrapper.pool)
    assert len(pools) == len(list(assembly.targets)) == 1


def test_users_that_never_come_again_have_no_pools(connect: Connect) -> None:
    users = set()
    for _ in range(60):
        wrapper = connect(kind=ByUser)
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
        users.add(wrapper.pool)
        wrapper.close()
    assert len(users) == 60, "one user's session is nothing for another"
    assert len(list(assembly.targets)) == 1
    assert sum(target.pool.stats().idle for target in assembly.targets) == 1


def test_users_that_come_again_have_pools_of_their_own_and_not_too_many(connect: Connect) -> None:
    for turn in range(60):
        ByTurn.turn = turn % 15
        wrapper = connect(kind=ByTurn)
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
        wrapper.close()
    pools = [target.pool for target in assembly.targets]
    assert len(pools) == assembly.MOST_SHAPES + 1
    assert all(pool.stats().idle <= 1 for pool in pools)


def test_lazy_settings_have_one_pool_and_are_read_at_each_connect(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(
        assembly.Target, "open", lambda *args: given.append(args[1]) or _fail(args[0])
    )
    words = iter(range(1000))
    settings = {name: lazystr(Lazy(words)) for name in ("PASSWORD", "USER")}
    wrapper = connect(**settings)
    for _ in range(6):  # each attempt waits a little longer than the one before
        with pytest.raises(OperationalError):
            wrapper.ensure_connection()
    assert len(list(assembly.targets)) == 1
    assert {type(params[name]) for params in given for name in ("password", "user")} == {str}
    assert len({params["password"] for params in given}) == 6


class Lazy:
    """A text that is another one each time."""

    def __init__(self, words: Any) -> None:
        self.words = words

    def __str__(self) -> str:
        return f"word{next(self.words)}"


def _fail(target: Any) -> None:
    raise MySQLdb.OperationalError(2003, "not now")


def test_source_tells_targets_apart_and_is_compared_without_being_asked(connect: Connect) -> None:
    vault, other = Vault(SECRET), Vault(SECRET)
    one = connect(OPTIONS={"lifeline": {"credentials": vault}})
    same = connect(
        OPTIONS={
            "lifeline": {"credentials": one.settings_dict["OPTIONS"]["lifeline"]["credentials"]}
        }
    )
    differs = connect(OPTIONS={"lifeline": {"credentials": other}})
    assert one.pool is same.pool and one.pool is not differs.pool
    assert (vault.asked, other.asked) == (0, 0)


def test_programs_of_the_command_line_get_the_password_of_now() -> None:
    settings = {
        **{"NAME": "shop", "USER": "x", "PASSWORD": "y", "HOST": "db", "PORT": ""},
        "OPTIONS": {"passwd": "z", "lifeline": {"credentials": Vault(("shop", SECRET))}},
    }
    args, env = DatabaseClient.settings_to_cmd_args_env(settings, ["-e", "SELECT 1"])
    assert args == ["mysql", "--user=shop", "--host=db", "shop", "-e", "SELECT 1"]
    assert env == {"MYSQL_PWD": SECRET}
    assert settings["PASSWORD"] == "y" and "passwd" in settings["OPTIONS"]  # type: ignore[operator]


def test_programs_of_the_command_line_are_told_the_settings_where_there_is_no_source() -> None:
    settings = {
        **{"NAME": "shop", "USER": "x", "PASSWORD": lazystr(SECRET), "HOST": "", "PORT": ""},
        "OPTIONS": {},
    }
    args, env = DatabaseClient.settings_to_cmd_args_env(settings, [])
    assert (args, env) == (["mysql", "--user=x", "shop"], {"MYSQL_PWD": SECRET})
    assert type(env["MYSQL_PWD"]) is str


def test_no_secret_is_in_what_is_known_of_a_target(connect: Connect) -> None:
    settings = {"PASSWORD": SECRET, "OPTIONS": {"lifeline": {"credentials": partial(str, SECRET)}}}
    wrapper = connect(**settings)
    target = wrapper.target
    known = list(assembly._known.values())
    shown = f"{target!r} {known!r} {target.lifeline!r} {target.credentials!r} {wrapper.pool!r}"
    assert SECRET not in shown
    assert replace(target.lifeline) == target.lifeline


def test_copy_of_a_test_database_is_made_with_the_password_of_now(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = connect(OPTIONS={"lifeline": {"credentials": Vault(("shop", SECRET))}})
    settings = wrapper.settings_dict
    told = []
    monkeypatch.setattr(
        stock_creation.DatabaseCreation,
        "_clone_db",
        lambda creation, *names: told.append((creation.connection.settings_dict, names)),
    )
    wrapper.creation._clone_db("test_shop", "test_shop_1")
    [(shown, names)] = told
    assert (shown["USER"], shown["PASSWORD"]) == ("shop", SECRET)
    assert names == ("test_shop", "test_shop_1")
    assert wrapper.settings_dict is settings and settings["PASSWORD"] == ""
