"""What runs in the process of the tests: the package's runner, with our settings and records."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

SETTINGS = "lifeline_lab.suites.settings"


def main() -> int:
    """Run the package's tests; the same exit status as its runner's."""
    given = json.loads(os.environ["DJANGO_SUITE"])
    if given["driver"] == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    _put_our_databases_into(given)
    if given["runner"] == "pytest":
        return _pytest(given)
    return _django(given)


def _put_our_databases_into(given: dict[str, Any]) -> None:
    """Let tests that configure Django by themselves have our databases."""
    from django.conf import LazySettings

    configure = LazySettings.configure

    def configured(self: Any, default_settings: Any = None, **options: Any) -> None:
        if "DATABASES" in options:
            options["DATABASES"] = given["databases"]
        if default_settings is None:
            configure(self, **options)
        else:
            configure(self, default_settings, **options)

    LazySettings.configure = configured


def _django(given: dict[str, Any]) -> int:
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    words = ["test", "--noinput", f"--settings={SETTINGS}", *given["labels"]]
    execute_from_command_line([sys.argv[0], *words])
    return 0


def _pytest(given: dict[str, Any]) -> int:
    import pytest

    from lifeline_lab.suites.plugin import Recorder

    own = [f"--ds={SETTINGS}"] if given["settings"] else []
    words = ["-q", "-p", "no:cacheprovider", *own, *given["labels"]]
    return int(pytest.main(words, plugins=[Recorder()]))


if __name__ == "__main__":
    sys.exit(main())
