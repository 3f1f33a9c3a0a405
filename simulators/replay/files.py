"""The files around a replay: floor plans, and a check that nothing is written over."""

import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import FloorPlanError, RecordingError
from core.floorplan import FloorPlan, load
from simulators.recordings.rows import UNWRITTEN


def read_file(path: Path) -> bytes:
    """Return the text of a floor plan; FloorPlanError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FloorPlanError(
            f"The floor plan cannot be read: {error.strerror}.",
            hint="Give the path of a JSON file; docs/replay.md shows a small one.",
            where=str(path),
        ) from error


def read_plan(path: Path) -> FloorPlan:
    """Read a floor plan file; FloorPlanError if that is not possible."""
    try:
        return load(read_file(path))
    except FloorPlanError as error:
        if error.where == str(path):
            raise
        where = f"{path}: {error.where}" if error.where else str(path)
        raise FloorPlanError(error.what, hint=error.hint, where=where) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file; RecordingError if that is not possible."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise RecordingError(
            f"The file cannot be written: {error.strerror}.", hint=UNWRITTEN, where=str(path)
        ) from error


def keep_apart(written: Sequence[Path | None], read: Sequence[Path | None]) -> None:
    """Raise RecordingError where a file would be written over one that is read, two into one, or nowhere.

    To be asked before hours of work, not after them.
    """
    taken = [path.resolve() for path in read if path is not None]
    for path in written:
        if path is None:
            continue
        if path.resolve() in taken:
            raise RecordingError("This file would be overwritten.", hint="Write to another one.", where=str(path))
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise RecordingError("The file cannot be written there.", hint=UNWRITTEN, where=str(path))
        taken.append(path.resolve())
