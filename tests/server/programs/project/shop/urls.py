"""One page that writes."""

from django.http import HttpResponse
from django.urls import path

from shop.models import Item


def add(request, name):
    Item.objects.create(name=name)
    return HttpResponse(str(Item.objects.exclude(name="from migration").count()))


urlpatterns = [path("add/<name>", add)]
