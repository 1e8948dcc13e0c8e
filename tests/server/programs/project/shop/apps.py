"""An app that looks into the database as soon as it can."""

import os
import warnings

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        if os.environ.get("QUERY_WHEN_READY"):
            from django.db import connection

            with warnings.catch_warnings():
                # Django says that this is discouraged. People do it.
                warnings.simplefilter("ignore", RuntimeWarning)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT COUNT(*) FROM shop_item")
                    assert cursor.fetchone() is not None
