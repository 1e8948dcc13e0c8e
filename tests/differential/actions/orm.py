"""Steps by Django's ORM."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, Max, Value
from django.db.models.functions import Concat

from tests.differential.actions.place import Place, action
from tests.differential.models import Entry, Item


def items(place: Place) -> Any:
    return Item.objects.using(place.alias)


def rows(queryset: Any) -> list[list[Any]]:
    return [[item.pk, item.tag, item.a, item.note] for item in queryset]


@action
def create(place: Place, tag: int) -> Any:
    return items(place).create(tag=place.tag(tag))


@action
def create_with_entry(place: Place, tag: int) -> Any:
    item = items(place).create(tag=place.tag(tag))
    return [item, Entry.objects.using(place.alias).create(item=item, tag=place.tag(tag + 1))]


@action
def save(place: Place, tag: int) -> Any:
    item = Item(tag=place.tag(tag))
    item.save(using=place.alias)
    return item


@action
def save_again(place: Place, tag: int, row: int) -> Any:
    item = items(place).get(pk=place.row(row))
    item.note += f"<{tag}>"
    item.save()
    return [item, item.note]


@action
def bulk_create(place: Place, tag: int, number: int) -> Any:
    return items(place).bulk_create([Item(tag=place.tag(tag + n)) for n in range(number)])


@action
def bulk_create_failing(place: Place, tag: int) -> Any:
    """The second batch meets a tag that is there already."""
    new = [Item(tag=place.tag(tag)), Item(tag=place.tag(-1))]
    return items(place).bulk_create(new, batch_size=1)


@action
def update(place: Place, tag: int, row: int) -> Any:
    noted = Concat(F("note"), Value(f"<{tag}>"))
    return items(place).filter(pk=place.row(row)).update(note=noted)


@action
def bulk_update(place: Place, tag: int, row: int) -> Any:
    item = items(place).get(pk=place.row(row))
    item.note += f"<{tag}>"
    return items(place).bulk_update([item], ["note"])


@action
def delete(place: Place, row: int) -> Any:
    return items(place).filter(pk=place.row(row)).delete()[0]


@action
def get_or_create(place: Place, tag: int) -> Any:
    return list(items(place).get_or_create(tag=place.tag(tag)))


@action
def update_or_create(place: Place, tag: int) -> Any:
    return list(items(place).update_or_create(tag=place.tag(tag), defaults={"a": 7}))


@action
def duplicate(place: Place) -> Any:
    """Fails with 1062."""
    return items(place).create(tag=place.tag(-1))


@action
def exists(place: Place) -> Any:
    return items(place).filter(tag__gt=place.tag(0)).exists()


@action
def aggregate(place: Place) -> Any:
    found = items(place).aggregate(n=Count("pk"), most=Max("tag"))
    return [found["n"], found["most"]]


@action
def values_list(place: Place) -> Any:
    return list(items(place).order_by("pk").values_list("pk", "tag", "note"))


@action
def read(place: Place) -> Any:
    return rows(items(place).order_by("pk"))


@action
def read_joined(place: Place) -> Any:
    entries = Entry.objects.using(place.alias).select_related("item").order_by("pk")
    return [[entry.pk, entry.item.tag] for entry in entries]


@action
def refresh(place: Place, row: int) -> Any:
    item = Item(pk=place.row(row))
    item.refresh_from_db(using=place.alias)
    return [item, item.note]


@action
def get_missing(place: Place) -> Any:
    return items(place).get(tag=place.tag(-99))


@action
def lock_row(place: Place, row: int) -> Any:
    """Outside ``atomic`` Django refuses it."""
    return rows(items(place).select_for_update().filter(pk=place.row(row)))


@action
def lock_row_nowait(place: Place, row: int) -> Any:
    return rows(items(place).select_for_update(nowait=True).filter(pk=place.row(row)))


@action
def iterate(place: Place) -> Any:
    return rows(items(place).order_by("pk").iterator(chunk_size=1))


@action
def begin_iterating(place: Place, name: str) -> Any:
    iterator = items(place).order_by("pk").iterator(chunk_size=1)
    place.actor.kept[place.key(name)] = iterator
    return rows([next(iterator)])


@action
def iterate_on(place: Place, name: str) -> Any:
    iterator = place.actor.kept.get(place.key(name))
    return "none" if iterator is None else rows(item for item in [next(iterator, None)] if item)


@action
def abandon(place: Place, name: str) -> Any:
    """Let go of a cursor or an iterator without closing it."""
    place.actor.kept.pop(place.key(name), None)
