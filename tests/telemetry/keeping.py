"""What a test configures of logs does not stay."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def logs_kept() -> Iterator[None]:
    """Leave structlog and the root's handlers as they were."""
    handlers, before = list(logging.root.handlers), structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.root.handlers[:] = handlers
