"""A small project as users have them; what differs comes from the environment."""

import multiprocessing
import os
import sys

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "project_settings"
    if method := os.environ.get("START_METHOD"):
        multiprocessing.set_start_method(method)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
