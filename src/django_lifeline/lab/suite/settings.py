"""The settings module for Django's tests; which database, the environment says."""

from __future__ import annotations

import json
import os

_given = json.loads(os.environ["DJANGO_SUITE"])


def _database(name: str) -> dict[str, object]:
    return {**_given["database"], "NAME": name, "TEST": {"CHARSET": "utf8mb4"}}


DATABASES = {"default": _database("suite"), "other": _database("suite_other")}
TEST_RUNNER = "django_lifeline.lab.suite.recorder.RecordingRunner"

# From here on as in the settings that Django's tests bring along for SQLite.
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
