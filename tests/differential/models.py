"""The tables that programs work with, as Django knows them; `ground` makes them."""

from __future__ import annotations

from django.db import models


class Item(models.Model):
    """A row with a tag that no other step of the program writes, so that it tells who wrote it."""

    tag = models.BigIntegerField(unique=True, null=True)
    a = models.IntegerField(default=0)
    note = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        app_label = "differential"
        db_table = "item"


class Entry(models.Model):
    """Belongs to an item, and goes with it."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE)
    tag = models.BigIntegerField(unique=True, null=True)

    class Meta:
        app_label = "differential"
        db_table = "entry"
