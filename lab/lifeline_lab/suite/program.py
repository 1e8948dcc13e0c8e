"""What runs in a fresh process: Django's ``runtests.py``, after the driver was chosen.

PyMySQL has to take mysqlclient's place before anything imports it, and runtests.py does.
"""

from __future__ import annotations

import json
import os
import runpy


def main() -> None:
    """Run the tests that the command line names."""
    given = json.loads(os.environ["DJANGO_SUITE"])
    if given["driver"] == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    runpy.run_path(given["runtests"], run_name="__main__")


if __name__ == "__main__":
    main()
