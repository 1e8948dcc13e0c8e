"""The pages."""

from __future__ import annotations

from django.urls import path

from django_lifeline.lab.programs.website import views

urlpatterns = [
    path("markets/golds/", views.golds),
    path("markets/golds/async/", views.golds_async),
    path("reports/", views.report),
    path("ping/", views.ping),
]
