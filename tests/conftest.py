"""Lists the fixtures; each subject has a file in ``fixtures``."""

pytest_plugins = [
    "tests.fixtures.programs",
    "tests.fixtures.servers",
    "tests.fixtures.browser",
    "tests.fixtures.threads",
    "tests.fixtures.wire",
]
