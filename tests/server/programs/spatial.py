"""The spatial engine connects and heals. Where there is no GDAL or GEOS, stand-ins take their
place: this is about the wiring, not about geometry."""

from __future__ import annotations

import sys
import types
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from tests.server.programs.toolbox import database, forget, kill, one, say, session_id


class StandIn(types.ModuleType):
    """A module in which every name is a class."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__call__": lambda self, *args: None, "__init__": lambda *a: None})


MODULES = """
    gdal gdal.error gdal.raster gdal.raster.const gdal.raster.source
    geos geos.error geos.geometry geos.point geos.prototypes geos.prototypes.io
"""


def stand_in() -> None:
    for name in MODULES.split():
        sys.modules[f"django.contrib.gis.{name}"] = StandIn(name)


def main() -> None:
    real = True
    try:
        import django.contrib.gis.gdal
        import django.contrib.gis.geos  # noqa: F401
    except ImproperlyConfigured:
        real = False
        stand_in()
    alias = database("spatial", "django_lifeline.backends.mysql_gis")
    from django.db import connections

    wrapper = connections[alias]
    first = session_id(alias)
    kill(first)
    say(
        {
            "real": real,
            "spatial": wrapper.ops.select,
            "geometry": one(alias, "SELECT ST_AsText(POINT(1, 2))"),
            "healed": session_id(alias) != first,
            "vendor": wrapper.vendor,
            "bases": [base.__module__ for base in type(wrapper).__mro__],
        }
    )
    forget(alias)


if __name__ == "__main__":
    main()
