"""Imported before ``django.setup()``: the tool is there before Django's parts are."""

from __future__ import annotations

from tests.monitoring.tools import the_tool

the_tool().instrument()
