"""``python -m django_lifeline doctor|explain|status|help``."""

from __future__ import annotations

import sys

from django_lifeline.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
