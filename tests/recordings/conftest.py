"""Real recordings, and a place for the figures that are found on them."""

import os
from pathlib import Path

import pytest

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of recorded data; it is not part of the repository."""
    folder = os.environ.get("SOJOURN_RECORDINGS")
    if not folder:
        pytest.skip("SOJOURN_RECORDINGS does not name the folder of recorded data")
    return Path(folder)


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Return lines that are printed at the end of the run, whether tests pass or not."""
    return pytestconfig.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures."""
    lines = config.stash.get(FIGURES, [])
    if lines:
        terminalreporter.section("real recordings")
        for line in lines:
            terminalreporter.write_line(line)
