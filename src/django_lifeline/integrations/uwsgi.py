"""uWSGI: forked workers let go of their parent's connections at once, and close their own.

Call `install` in the WSGI module.
"""

from __future__ import annotations

from collections.abc import Callable

from django_lifeline.integrations.base import drain_pools, let_go_of_parents

try:
    import uwsgi
except ImportError as error:
    raise ImportError(
        "django_lifeline.integrations.uwsgi works inside uWSGI only, which brings the module."
    ) from error


def install() -> None:
    """Set uWSGI's hooks; those that are there already are called after ours.

    uWSGI forks without telling Python. The engine notices when a worker first borrows; this does
    it before anything can drop an inherited connection.
    """
    _put_before("post_fork_hook", let_go_of_parents)
    _put_before("atexit", drain_pools)


def _put_before(hook: str, ours: Callable[[], None]) -> None:
    earlier = getattr(uwsgi, hook, None)

    def both() -> None:
        ours()
        if earlier is not None:
            earlier()

    setattr(uwsgi, hook, both)
