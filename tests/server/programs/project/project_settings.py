"""Settings as users have them."""

import json
import os

if os.environ["DRIVER"] == "pymysql":
    import pymysql

    pymysql.install_as_MySQLdb()

DATABASES = {"default": json.loads(os.environ["DATABASE"])}
INSTALLED_APPS = [
    "shop.apps.ShopConfig",
    "django.contrib.contenttypes",
    *os.environ.get("MORE_APPS", "").split(),
]
SECRET_KEY = "not secret"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
STATIC_URL = "static/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS = os.environ.get("SILENCED", "").split()
