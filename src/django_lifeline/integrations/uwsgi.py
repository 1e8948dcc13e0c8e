"""uWSGI: forked workers let go of their parent's connections at once, and close their own.

Call `install` in the WSGI module.
"""

from __future__ import annotations

from django_lifeline.integrations.base import drain_pools, let_go_of_parents

try:
    import uwsgi
except ImportError as error:
    raise ImportError(
        "django_lifeline.integrations.uwsgi works inside uWSGI only, which brings the module."
    ) from error


def install() -> None:
    """Set uWSGI's hooks, keeping those that are there.

    uWSGI forks without telling Python. The engine notices when a worker first borrows; this does
    it before anything can drop an inherited connection.
    """
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def after_fork() -> None:
        let_go_of_parents()
        if earlier is not None:
            earlier()

    uwsgi.post_fork_hook = after_fork
    ending = getattr(uwsgi, "atexit", None)

    def at_exit() -> None:
        drain_pools()
        if ending is not None:
            ending()

    uwsgi.atexit = at_exit
