"""``manage.py make_staff <name>``: a user who may do everything, password from the environment."""

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Makes a staff user; the password is DJANGO_SUPERUSER_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        user, _ = get_user_model().objects.get_or_create(username=options["name"])
        user.is_staff = user.is_superuser = True
        user.set_password(os.environ["DJANGO_SUPERUSER_PASSWORD"])
        user.save()
