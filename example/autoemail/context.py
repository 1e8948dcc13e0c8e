"""What every page shows."""

from django.conf import settings
from django.http import HttpRequest


def arm(request: HttpRequest) -> dict[str, str]:
    engine = f"{settings.DATABASES['default']['ENGINE']}, {settings.MYSQL_DRIVER}"
    return {"arm": settings.LIFELINE_ARM, "engine": engine}
