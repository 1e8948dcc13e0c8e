"""The pages."""

from __future__ import annotations

from django.urls import path

from lifeline_lab.programs.website import views

urlpatterns = [
    path("markets/golds/", views.golds),
    path("reports/", views.report),
    path("reports/async/", views.report_async),
    path("ping/", views.ping),
]
