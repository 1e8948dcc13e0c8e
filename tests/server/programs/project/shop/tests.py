"""What users write; Django runs it, on the test database it makes."""

import threading
from urllib.request import urlopen

from django.db import connection, transaction
from django.test import LiveServerTestCase, SimpleTestCase, TestCase, TransactionTestCase

from shop.models import Item


def current_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        return cursor.fetchone()[0]


class InTransaction(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.item = Item.objects.create(name="shared")

    def test_runs_on_the_test_database(self):
        self.assertTrue(current_database().startswith("test_"))
        self.assertEqual(current_database(), connection.settings_dict["NAME"])

    def test_sees_its_own_rows_only(self):
        Item.objects.create(name="mine")
        self.assertEqual(Item.objects.exclude(name="from migration").count(), 2)

    def test_sees_none_of_the_others_rows(self):
        self.assertFalse(Item.objects.filter(name="mine").exists())

    def test_queries_are_counted(self):
        with self.assertNumQueries(1):
            list(Item.objects.all())
        with self.assertNumQueries(3), transaction.atomic():
            Item.objects.create(name="counted")

    def test_client_shares_the_transaction(self):
        self.assertEqual(self.client.get("/add/by-client").status_code, 200)
        self.assertTrue(Item.objects.filter(name="by-client").exists())

    def test_commit_hooks_can_be_captured(self):
        ran = []
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: ran.append(1))
        self.assertEqual(ran, [1])


class WithCommits(TransactionTestCase):
    def test_runs_on_the_test_database(self):
        self.assertTrue(current_database().startswith("test_"))

    def test_commits_and_runs_hooks(self):
        ran = []
        with transaction.atomic():
            Item.objects.create(name="stored")
            transaction.on_commit(lambda: ran.append(1))
        self.assertEqual(ran, [1])

    def test_another_thread_sees_what_was_stored(self):
        Item.objects.create(name="seen")
        seen = []

        def look():
            seen.append((current_database(), Item.objects.filter(name="seen").count()))
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        self.assertEqual(seen, [(current_database(), 1)])

    def test_starts_without_the_others_rows(self):
        self.assertFalse(Item.objects.exclude(name="from migration").exists())


class KeepsItsRows(TransactionTestCase):
    serialized_rollback = True

    def test_rows_of_migrations_are_there_again(self):
        self.assertEqual(Item.objects.get().name, "from migration")


class Live(LiveServerTestCase):
    def test_server_and_test_see_each_others_rows(self):
        Item.objects.create(name="before")
        with urlopen(f"{self.live_server_url}/add/live") as answer:
            self.assertEqual(answer.read(), b"2")
        self.assertTrue(Item.objects.filter(name="live").exists())


class Forbidden(SimpleTestCase):
    def test_database_is_forbidden(self):
        with self.assertRaisesMessage(AssertionError, "Database queries to 'default'"):
            Item.objects.count()
        with self.assertRaisesMessage(AssertionError, "Database"):
            connection.ensure_connection()
