"""Settings of the example. Whatever differs from one start to the next comes from the environment.

``DATABASE_URL``        ``mysql://user:password@host:port/name``
``LIFELINE_ARM``        ``lifeline`` (default) or ``stock``: which ENGINE
``MYSQL_DRIVER``        ``mysqlclient`` or ``pymysql``; default: the first that is installed
``SCHEDULE_RUNNER``     ``thread`` (default), ``apscheduler`` or ``celery``
``EXAMPLE_FOLDER``      where the processes of one start keep their shared files
``SMTP_PORT``           the local SMTP server
``CELERY_BROKER_URL``   Redis or RabbitMQ, for ``SCHEDULE_RUNNER=celery``
"""

import os
from pathlib import Path

from autoemail.database import database, driver

MYSQL_DRIVER = driver(os.environ)
if MYSQL_DRIVER == "pymysql":
    import pymysql

    pymysql.install_as_MySQLdb()

BASE = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("EXAMPLE_FOLDER", BASE / "run"))

LIFELINE_ARM = os.environ.get("LIFELINE_ARM", "lifeline")
DATABASES = {"default": database(os.environ)}

SCHEDULE_RUNNER = os.environ.get("SCHEDULE_RUNNER", "thread")
SCHEDULE_ROUND = 1.0  # seconds from one look at the schedules to the next
SENDERS = 2  # senders of one scheduler (threads; for Celery, how many tasks each round asks for)
CLAIM_SECONDS = float(os.environ.get("CLAIM_SECONDS", "60"))  # on top of a slow schedule's seconds

SMTP_HOST = "127.0.0.1"
SMTP_PORT = int(os.environ.get("SMTP_PORT", "8025"))
MAIL_FROM = "autoemail@example.org"

RPC_PORT = int(os.environ.get("RPC_PORT", "50051"))

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(FOLDER / f"beat-{os.getpid()}")
CELERY_BEAT_SCHEDULE = {
    # A round that nobody took up in time is not worth running: the next one does the same.
    "round": {
        "task": "mail.tasks.round",
        "schedule": SCHEDULE_ROUND,
        "options": {"expires": 10},
    }
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "mail",
    "markets",
    "pulse",
    "rpc",
    "trouble",
    # The admin page "Connections".
    *(["django_lifeline"] if LIFELINE_ARM == "lifeline" else []),
]
MIDDLEWARE = [
    "pulse.middleware.count_requests",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "autoemail.urls"
WSGI_APPLICATION = "autoemail.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "autoemail.context.arm",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE / "static"]
LOGIN_URL = "admin:login"

# A development key unless the start made one: the example listens on this machine only.
SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-the-example-on-this-machine-0123456789abcdef")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = os.environ.get("EXAMPLE_TIME_ZONE", "Europe/Berlin")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"mail": {"level": "INFO"}, "django_lifeline": {"level": "INFO"}},
}
