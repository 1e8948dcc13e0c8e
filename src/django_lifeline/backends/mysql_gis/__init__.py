"""The engine for MySQL and MariaDB with spatial fields."""

from django_lifeline.driver import use_installed_driver

# Before Django's own backend is imported, which needs one.
use_installed_driver()
