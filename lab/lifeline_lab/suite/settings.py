"""The settings module for Django's tests: those it brings along for SQLite, on our servers."""

from __future__ import annotations

import importlib
import json
import os

_given = json.loads(os.environ["DJANGO_SUITE"])

for _name, _value in vars(importlib.import_module("test_sqlite")).items():
    if _name.isupper():
        globals()[_name] = _value


def _database(name: str) -> dict[str, object]:
    return {**_given["database"], "NAME": name, "TEST": {"CHARSET": "utf8mb4"}}


DATABASES = {"default": _database("suite"), "other": _database("suite_other")}
TEST_RUNNER = "lifeline_lab.suite.recorder.RecordingRunner"

# Where GDAL and GEOS are not installed but unpacked somewhere, as Django's settings have it.
for _name in ("GDAL_LIBRARY_PATH", "GEOS_LIBRARY_PATH"):
    if _name in os.environ:
        globals()[_name] = os.environ[_name]
