"""Models over the tables that the lab has made; their names carry the lab's prefix."""

from __future__ import annotations

from django.db import models

from lifeline_lab.stage import specification

PREFIX = specification()["prefix"]


class Task(models.Model):
    """Something to be done."""

    name = models.CharField(max_length=100)
    state = models.CharField(max_length=20, default="new")

    class Meta:
        app_label = "office"
        db_table = f"{PREFIX}task"
        managed = False


class Timeline(models.Model):
    """What was done."""

    task = models.CharField(max_length=100)
    note = models.CharField(max_length=100)

    class Meta:
        app_label = "office"
        db_table = f"{PREFIX}timeline"
        managed = False


class Gold(models.Model):
    """A day's price."""

    day = models.CharField(max_length=20)
    price = models.IntegerField()

    class Meta:
        app_label = "office"
        db_table = f"{PREFIX}gold"
        managed = False


class Document(models.Model):
    """Something that may be large."""

    name = models.CharField(max_length=100)
    body = models.TextField()

    class Meta:
        app_label = "office"
        db_table = f"{PREFIX}document"
        managed = False
