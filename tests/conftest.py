"""Lists the fixtures; each subject has a file in ``fixtures``."""

from hypothesis import settings

# How long an example takes is the machine's affair.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

pytest_plugins = [
    "tests.fixtures.programs",
    "tests.fixtures.servers",
    "tests.fixtures.browser",
    "tests.fixtures.drawing",
    "tests.fixtures.threads",
    "tests.fixtures.wire",
]
