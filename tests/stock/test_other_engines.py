"""Engines that others have made over Django's do with ours below, or before them, what they did.

Each of their classes is put together with ours in both orders; with stock it stands alone.
"""

from __future__ import annotations

import sys

import pytest
from tests.stock.conftest import Both, compare, needs, scenes_of

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(300)]

DISTRIBUTIONS = {
    "django_prometheus": "django-prometheus",
    "django_mysql": "django-mysql",
    "django_iam_dbauth": "django-iam-dbauth",
}
REFUSES_DJANGO_6_1 = {"django_prometheus"}
"""Not installed where Python is new enough for Django 6.1."""


def installed(package: str) -> None:
    """Skip, or fail in CI, where the package is not there though it could be."""
    if package in REFUSES_DJANGO_6_1 and sys.version_info >= (3, 12):
        pytest.importorskip(package, reason=f"{package} refuses Django 6.1")
    if package in DISTRIBUTIONS:
        needs(package, DISTRIBUTIONS[package])


@pytest.mark.parametrize(("package", "scene"), scenes_of("other_engines"))
def test_engine_put_together_with_ours_does_what_it_did(
    both: Both, package: str, scene: str
) -> None:
    installed(package)
    compare(both("other_engines", env={"PACKAGE": package}, timeout=180), scene)
