"""Fixtures by theme; each file tells what it gives. Random tests print what reproduces them."""

from hypothesis import settings

from servers.kernel_cache import seal
from sojourn import keep_kernels

# before anything imports numba: test processes and the services that they start share what one of them has compiled
kernels = keep_kernels()

# no deadline: the first example pays for compiling kernels, and two busy cores are no stopwatch
settings.register_profile("sojourn", deadline=None, print_blob=True)
settings.load_profile("sojourn")

pytest_plugins = (
    "tests.fix_servers",
    "tests.fix_database",
    "tests.fix_broker",
    "tests.fix_kafka",
    "tests.fix_proxy",
    "tests.fix_browser",
    "tests.fix_api",
    "tests.fix_bluez",
)


def pytest_unconfigure() -> None:
    """Seal the kernels that were compiled meanwhile, so that the next run has them."""
    if kernels is not None:  # in the process that began; its workers have been given the folder
        seal(kernels)
