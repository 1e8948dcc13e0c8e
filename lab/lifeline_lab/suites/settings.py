"""The settings module for a package's tests: those it brings along, on our servers."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from typing import Any

_given = json.loads(os.environ["DJANGO_SUITE"])


def _its_own() -> Mapping[str, Any]:
    module, _, function = _given["settings"].partition(":")
    found = importlib.import_module(module)
    return getattr(found, function)() if function else vars(found)


for _name, _value in _its_own().items():
    if _name.isupper():
        globals()[_name] = _value

DATABASES = _given["databases"]
if _given["runner"] == "django":
    TEST_RUNNER = "lifeline_lab.suites.runner.Runner"
