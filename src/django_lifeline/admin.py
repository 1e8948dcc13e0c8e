"""The admin page "Connections": pools, the server's sessions, recent losses.

For staff with the permission ``lifeline.view_connections``.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from django_lifeline.models import Connections

REFRESH = 5
"""Seconds between two loads of the page, for those who switch that on."""


@admin.register(Connections)
class ConnectionsAdmin(admin.ModelAdmin):
    """One page in the place of a list of rows; there is nothing to add, change or delete."""

    def get_urls(self) -> list[Any]:
        """Return the page's address."""
        view = self.admin_site.admin_view(self.page)
        return [path("", view, name="lifeline_connections_changelist")]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the page; ``?p=2`` for older losses, ``?refresh=1`` to load it again and again."""
        from django_lifeline.panel.page import context

        if not self.has_view_permission(request):
            raise PermissionDenied
        refreshes = "refresh" in request.GET
        return TemplateResponse(
            request,
            "django_lifeline/connections.html",
            {
                **self.admin_site.each_context(request),
                **context(request.GET.get("p", "1")),
                "title": "Connections",
                "refresh": REFRESH if refreshes else None,
                "kept": "&refresh=1" if refreshes else "",
            },
            headers={"Cache-Control": "no-store"},
        )
