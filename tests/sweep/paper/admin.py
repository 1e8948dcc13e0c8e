"""The admin of the sheets, for the workload that posts its form."""

from __future__ import annotations

from django.contrib import admin

from tests.sweep.paper.models import Sheet

admin.site.register(Sheet)
