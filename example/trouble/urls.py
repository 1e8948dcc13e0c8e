from django.urls import path

from trouble import views

urlpatterns = [
    path("", views.panel, name="trouble"),
    path("<slug:name>/", views.make, name="make-trouble"),
]
