"""What the workloads write, and where they leave a mark afterwards."""

from __future__ import annotations

from django.db import models


class Sheet(models.Model):
    """A row of work. Nothing of it is unique, so that what is stored twice is seen."""

    name = models.CharField(max_length=40)
    number = models.IntegerField(default=0)


class Mark(models.Model):
    """Written after each cell: the next statement's effect."""

    text = models.CharField(max_length=100)
