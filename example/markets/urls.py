from django.urls import path

from markets import views

urlpatterns = [
    path("golds/", views.golds, name="golds"),
    path("golds.json", views.golds_json, name="golds-json"),
    path("exists/", views.exists, name="exists"),
]
