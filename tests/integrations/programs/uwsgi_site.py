"""A site for uWSGI, which loads it in its parent and then forks."""

from __future__ import annotations

import os

from tests.server.programs.tagged_site import application as tagged_site

if os.environ["INSTALL"] == "yes":
    from django_lifeline.integrations.uwsgi import install

    install()

application = tagged_site
