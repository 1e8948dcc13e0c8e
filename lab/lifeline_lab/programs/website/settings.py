"""Settings as of any small site; what differs between arms comes from the cell."""

from __future__ import annotations

import os
from typing import Any

from lifeline_lab.stage import specification, use_pymysql

_cell = specification()
if _cell["driver"] == "pymysql":
    use_pymysql()

DATABASES: dict[str, dict[str, Any]] = {
    "default": {**_cell["database"], "PASSWORD": os.environ["LIFELINE_LAB_PASSWORD"]}
}
SECRET_KEY = "only-for-the-lab"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["lifeline_lab.programs.office"]
ROOT_URLCONF = "lifeline_lab.programs.website.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"history": {"class": "lifeline_lab.stage.HistoryHandler"}},
    "loggers": {"django.request": {"handlers": ["history"], "level": "ERROR"}},
}
