"""Fixtures by theme; each file tells what it gives. Random tests print what reproduces them."""

from hypothesis import settings

from sojourn import keep_kernels

# before anything imports numba: test processes and the services that they start share what one of them has compiled
keep_kernels()

# no deadline: the first example pays for compiling kernels, and two busy cores are no stopwatch
settings.register_profile("sojourn", deadline=None, print_blob=True)
settings.load_profile("sojourn")

pytest_plugins = (
    "tests.fix_servers",
    "tests.fix_database",
    "tests.fix_broker",
    "tests.fix_proxy",
    "tests.fix_browser",
    "tests.fix_api",
    "tests.fix_bluez",
)
