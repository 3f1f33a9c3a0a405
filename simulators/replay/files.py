"""The files around a replay: floor plans, and a check that nothing is written over."""

from collections.abc import Sequence
from pathlib import Path

from core.errors import FloorPlanError, RecordingError
from core.floorplan import FloorPlan, load


def read_plan(path: Path) -> FloorPlan:
    """Read a floor plan file; FloorPlanError if that is not possible."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FloorPlanError(f"The floor plan cannot be read: {error.strerror}.", where=str(path)) from error
    try:
        return load(data)
    except FloorPlanError as error:
        where = f"{path}: {error.where}" if error.where else str(path)
        raise FloorPlanError(error.what, hint=error.hint, where=where) from error


def keep_apart(written: Sequence[Path | None], read: Sequence[Path | None]) -> None:
    """Raise RecordingError where a file would be written over one that is read, or two into one."""
    taken = [path.resolve() for path in read if path is not None]
    for path in written:
        if path is None:
            continue
        if path.resolve() in taken:
            raise RecordingError("This file would be overwritten.", hint="Write to another one.", where=str(path))
        taken.append(path.resolve())
