"""Steps of Django's transactions."""

from __future__ import annotations

from typing import Any

from django.db import Error, transaction

from tests.differential.actions.place import Deliberate, Place, action
from tests.differential.models import Item


@action
def enter(place: Place, savepoint: bool = True, durable: bool = False) -> None:
    block = transaction.atomic(using=place.alias, savepoint=savepoint, durable=durable)
    try:
        block.__enter__()
    except BaseException:
        # Nothing of the block runs, and its end in the program ends nothing.
        place.actor.skipping += 1
        raise
    place.actor.blocks.append(block)


@action
def leave(place: Place, how: str = "ok") -> Any:
    if not place.actor.blocks:
        return "no block"
    block = place.actor.blocks.pop()
    if how == "ok":
        block.__exit__(None, None, None)
        return "left"
    error = Deliberate("in the block")
    block.__exit__(Deliberate, error, None)
    raise error


@action
def set_autocommit(place: Place, on: bool) -> None:
    transaction.set_autocommit(on, using=place.alias)


@action
def get_autocommit(place: Place) -> Any:
    return transaction.get_autocommit(using=place.alias)


@action
def commit(place: Place) -> None:
    transaction.commit(using=place.alias)


@action
def rollback(place: Place) -> None:
    transaction.rollback(using=place.alias)


@action
def savepoint(place: Place, name: str) -> Any:
    sid = transaction.savepoint(using=place.alias)
    place.actor.kept[place.key(name)] = sid
    return sid is not None


@action
def savepoint_rollback(place: Place, name: str) -> Any:
    sid = place.actor.kept.get(place.key(name))
    if sid is None:
        return "none"
    return transaction.savepoint_rollback(sid, using=place.alias)


@action
def savepoint_commit(place: Place, name: str) -> Any:
    sid = place.actor.kept.get(place.key(name))
    if sid is None:
        return "none"
    return transaction.savepoint_commit(sid, using=place.alias)


@action
def set_rollback(place: Place, on: bool) -> None:
    transaction.set_rollback(on, using=place.alias)


@action
def on_commit(place: Place, tag: int, what: str = "plain", robust: bool = False) -> None:
    """A hook that says that it ran; it may also write, register another hook, or fail."""
    hooks, alias = place.arm.hooks, place.alias

    def run() -> None:
        hooks.append(f"hook {tag}")
        try:
            act()
        except Error as error:
            hooks.append(f"failed {error.args[0] if error.args else ''}")  # robust: swallowed
            raise

    def act() -> None:
        if what == "write":
            Item.objects.using(alias).create(tag=place.tag(tag))
        elif what == "nested":
            with transaction.atomic(using=alias):
                Item.objects.using(alias).create(tag=place.tag(tag))
                transaction.on_commit(lambda: hooks.append(f"hook in hook {tag}"), using=alias)
        elif what == "fail":
            raise Deliberate("in a hook")

    transaction.on_commit(run, using=alias, robust=robust)
