"""Fixtures by theme; each file tells what it gives."""

pytest_plugins = (
    "tests.fix_servers",
    "tests.fix_database",
    "tests.fix_broker",
    "tests.fix_proxy",
    "tests.fix_browser",
    "tests.fix_api",
)
