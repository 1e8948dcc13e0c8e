"""Django's own test classes and test tools, as projects use them, over the engine."""

from __future__ import annotations

import io
import itertools
import os
import sys
import threading
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import TestSuite, TextTestRunner, mock

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import DatabaseError, connection, connections, models, transaction
from django.db.backends.mysql.base import DatabaseWrapper as DjangosWrapper
from django.http import HttpResponse
from django.test import (
    LiveServerTestCase,
    SimpleTestCase,
    TestCase,
    TransactionTestCase,
    override_settings,
    skipUnlessDBFeature,
)
from django.test.utils import CaptureQueriesContext, setup_databases
from django.urls import path
from tests.stock.programs.workshop import say

settings.INSTALLED_APPS = []
settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["*"]
settings.STATIC_URL = "static/"
settings.SECRET_KEY = "of these tests alone"
settings.MIGRATION_MODULES = {"notes": None}


class Note(models.Model):
    """What the tests write."""

    tag = models.CharField(max_length=20, unique=True)

    class Meta:
        app_label = "notes"


class Notes(AppConfig):
    """The app of that model, though there is no package."""

    path = "."


notes = apps.app_configs["notes"] = Notes("notes", sys.modules[__name__])
notes.apps, notes.models = apps, apps.all_models["notes"]


def page(request: Any) -> HttpResponse:
    """How many notes a request sees."""
    return HttpResponse(str(Note.objects.count()))


urlpatterns = [path("", page)]


class SetUpOnce(TestCase):
    """`setUpTestData`, and what each test does to it alone."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.note = Note.objects.create(tag="once")

    def test_a_change_is_undone(self) -> None:
        self.note.tag = "changed"
        self.note.save()
        self.assertEqual(Note.objects.get().tag, "changed")

    def test_b_data_is_as_it_was_set_up(self) -> None:
        self.assertEqual((self.note.tag, Note.objects.get().tag), ("once", "once"))

    def test_c_error_that_breaks_the_block_breaks_this_test_alone(self) -> None:
        with self.assertRaises(DatabaseError):
            Note.objects.create(tag="once")
        with self.assertRaises(transaction.TransactionManagementError):
            Note.objects.exists()

    def test_d_error_in_an_inner_block(self) -> None:
        with self.assertRaises(DatabaseError), transaction.atomic():
            Note.objects.create(tag="once")
        self.assertEqual(Note.objects.count(), 1)


class Hooks(TestCase):
    """`captureOnCommitCallbacks`, and queries that are counted."""

    def test_hooks_are_captured(self) -> None:
        ran: list[str] = []
        with self.captureOnCommitCallbacks() as kept:
            transaction.on_commit(partial(ran.append, "kept"))
        with self.captureOnCommitCallbacks(execute=True) as executed:
            transaction.on_commit(partial(ran.append, "executed"))
            with transaction.atomic():
                transaction.on_commit(partial(ran.append, "inner"))
        self.assertEqual((len(kept), len(executed), ran), (1, 2, ["executed", "inner"]))

    def test_queries_are_counted(self) -> None:
        with self.assertNumQueries(4):
            Note.objects.create(tag="counted")
            with transaction.atomic():
                list(Note.objects.all())
        with CaptureQueriesContext(connection) as seen:
            Note.objects.update(tag="seen")
        self.assertEqual([each["sql"].split()[0] for each in seen], ["UPDATE"])

    @skipUnlessDBFeature("supports_transactions")
    def test_features_are_asked(self) -> None:
        self.assertTrue(connection.in_atomic_block)


class Committed(TransactionTestCase):
    """Real transactions, and tables that are emptied afterwards."""

    available_apps: list[str] = []

    def tearDown(self) -> None:
        Note.objects.all().delete()

    def test_hooks_run_at_commit(self) -> None:
        ran: list[str] = []
        with transaction.atomic():
            transaction.on_commit(lambda: ran.append("ran"))
            Note.objects.create(tag="committed")
            self.assertEqual(ran, [])
        self.assertEqual(ran, ["ran"])

    def test_queries_of_a_transaction_are_counted(self) -> None:
        with self.assertNumQueries(3), transaction.atomic():
            Note.objects.create(tag="counted")

    def test_threads_see_what_is_committed(self) -> None:
        seen: list[int] = []

        def look() -> None:
            seen.append(Note.objects.count())
            connection.close()

        Note.objects.create(tag="seen")
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        self.assertEqual(seen, [1])

    def test_age_of_connections_is_changed_while_it_runs(self) -> None:
        numbers = []
        for age in (0, None, 60, 0):
            connection.settings_dict["CONN_MAX_AGE"] = age
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                numbers.append(cursor.fetchone()[0])
            connection.close_if_unusable_or_obsolete()
            numbers.append(connection.connection is not None)
        self.assertEqual(numbers, [1, False, 1, True, 1, True, 1, False])

    def test_health_checks_are_switched_on_while_it_runs(self) -> None:
        connection.settings_dict["CONN_MAX_AGE"] = None
        connection.settings_dict["CONN_HEALTH_CHECKS"] = True
        try:
            connection.close()
            Note.objects.exists()
            connection.close_if_unusable_or_obsolete()
            with mock.patch.object(connection, "is_usable", return_value=False) as asked:
                self.assertFalse(Note.objects.exists())
            self.assertEqual(asked.call_count, 1)
        finally:
            connection.settings_dict["CONN_MAX_AGE"] = 0
            connection.settings_dict["CONN_HEALTH_CHECKS"] = False
            connection.close()


class Replaced(TransactionTestCase):
    """Mocks on the wrapper, on its class and on Django's."""

    available_apps: list[str] = []

    def test_method_of_each_owner_is_mocked(self) -> None:
        owners: list[Any] = [connection, type(connections["default"]), DjangosWrapper]
        for owner, name in itertools.product(owners, ("ensure_connection", "cursor", "_cursor")):
            with self.subTest(owner=str(owner), name=name):
                real: Callable[..., Any] = getattr(owner, name)
                how = {"autospec": True} if isinstance(owner, type) else {}
                with mock.patch.object(owner, name, side_effect=real, **how) as asked:
                    self.assertEqual(Note.objects.count(), 0)
                self.assertTrue(asked.called)
            self.assertEqual(Note.objects.count(), 0)

    def test_cursor_that_fails(self) -> None:
        kind = type(connections["default"])
        for owner in (kind, connections["default"]):
            failing = mock.patch.object(owner, "create_cursor", side_effect=DatabaseError("no"))
            with failing, self.assertRaises(DatabaseError):
                Note.objects.count()
            self.assertEqual(Note.objects.count(), 0)

    def test_property_of_djangos_class(self) -> None:
        base = DjangosWrapper.__mro__[1]
        for value in (True, False):
            always = mock.PropertyMock(return_value=value)
            with mock.patch.object(base, "queries_logged", new=always):
                connections["default"].queries_log.clear()
                Note.objects.count()
            seen = [each for each in connections["default"].queries_log if "COUNT" in each["sql"]]
            self.assertEqual(len(seen), int(value))

    def test_feature_is_patched(self) -> None:
        without = mock.patch.object(connection.features, "uses_savepoints", False)
        with without, transaction.atomic(), transaction.atomic(), self.assertNumQueries(1):
            Note.objects.count()


class OtherSettings(TransactionTestCase):
    """`override_settings(DATABASES=…)`, which Django does not apply to what is connected."""

    available_apps: list[str] = []

    def test_overridden_databases_change_nothing_that_is_there(self) -> None:
        before = connection.settings_dict["NAME"]
        warned = self.assertWarnsMessage(UserWarning, "Overriding setting DATABASES")
        with warned, override_settings(DATABASES={"default": {}}):
            self.assertEqual(connection.settings_dict["NAME"], before)
            self.assertEqual(Note.objects.count(), 0)

    def test_wrapper_of_its_own_by_copy(self) -> None:
        other = connection.copy("other")
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT DATABASE()")
                self.assertEqual(cursor.fetchone()[0], connection.settings_dict["NAME"])
        finally:
            other.close()


class Forbidden(SimpleTestCase):
    """Tests that may not use the database."""

    def test_queries_are_forbidden(self) -> None:
        for use in (Note.objects.count, connection.cursor, connection.connect):
            with self.assertRaisesMessage(AssertionError, "are not allowed"):
                use()


class Live(LiveServerTestCase):
    """A server in a thread of the test's."""

    available_apps: list[str] = []

    def tearDown(self) -> None:
        Note.objects.all().delete()

    def test_requests_see_what_is_committed(self) -> None:
        Note.objects.create(tag="live")
        said = []
        for _ in range(3):
            with urllib.request.urlopen(self.live_server_url) as answer:
                said.append(answer.read())
        self.assertEqual(said, [b"1"] * 3)


CASES = [SetUpOnce, Hooks, Committed, Replaced, OtherSettings, Forbidden, Live]


def outcomes() -> dict[str, Any]:
    """What became of each test."""
    loader = __import__("unittest").defaultTestLoader
    said: dict[str, Any] = {}
    for case in CASES:
        for test in loader.loadTestsFromTestCase(case):
            name = test.id().removeprefix("__main__.")
            written = io.StringIO()
            result = TextTestRunner(stream=written).run(TestSuite([test]))
            said[name] = "ok" if result.wasSuccessful() else written.getvalue()
    return said


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "none")
old = setup_databases(0, interactive=False)
with connection.schema_editor() as editor:
    editor.create_model(Note)
try:
    report = outcomes()
finally:
    for wrapper, name, destroy in old:
        if destroy:
            wrapper.creation.destroy_test_db(name, 0)
say(report)
