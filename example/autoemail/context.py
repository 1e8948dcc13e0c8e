"""What every page shows."""

from django.conf import settings
from django.http import HttpRequest


def arm(request: HttpRequest) -> dict[str, str]:
    return {"arm": settings.LIFELINE_ARM, "engine": settings.DATABASES["default"]["ENGINE"]}
