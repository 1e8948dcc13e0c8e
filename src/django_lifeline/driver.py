"""Which driver Django finds under the name ``MySQLdb``."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

_NONE_INSTALLED = (
    "No driver for MySQL and MariaDB is installed: pip install 'django-lifeline[mysqlclient]', or "
    "'django-lifeline[pymysql]', which is slower and needs no compiler."
)
_CANNOT_BE_LOADED = (
    "mysqlclient is installed, but cannot be loaded ({error}). Install the library that it needs; "
    "or go without it: pip uninstall mysqlclient, then pip install 'django-lifeline[pymysql]'."
)


def use_installed_driver() -> None:
    """Let PyMySQL be ``MySQLdb`` where mysqlclient is not installed.

    What a project has put under that name stays. Raises ``ImproperlyConfigured`` where there is
    no driver, or one that cannot be loaded.
    """
    try:
        import MySQLdb  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "MySQLdb":
            raise ImproperlyConfigured(_CANNOT_BE_LOADED.format(error=error)) from error
    except ImportError as error:
        # Something else than what is installed would be a surprise, and hide what is broken.
        raise ImproperlyConfigured(_CANNOT_BE_LOADED.format(error=error)) from error
    else:
        return
    try:
        import pymysql
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(_NONE_INSTALLED) from error
    pymysql.install_as_MySQLdb()
