"""The rooms of the house, as import-linter is told of them."""

import tomllib
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parents[1]
ROOMS: Final[tuple[str, ...]] = tuple(
    tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["root_packages"]
)
