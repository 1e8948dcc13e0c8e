"""The settings of `probed_site`, for its workers and for the command that looks at them."""

from __future__ import annotations

import json
import os

SETUP = json.loads(os.environ["PROBED_SITE"])
if SETUP["driver"] == "pymysql":
    import pymysql

    pymysql.install_as_MySQLdb()

DATABASES = {"default": SETUP["database"]}
SECRET_KEY = "not a secret"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.server.programs.probed_site"
USE_TZ = True
