"""Recordings: signals in a file of one's own, CSV or Parquet, in order of arrival."""

from pathlib import Path

from core.errors import RecordingError
from simulators.recordings.csv import CsvRecording
from simulators.recordings.parquet import MAGIC, ParquetRecording
from simulators.recordings.rows import UNREAD, Recording, must_be_file


def open_recording(path: Path) -> Recording:
    """Open a recording; whether it is Parquet is seen by its first bytes, everything else is read as CSV.

    Parameters
    ----------
    path : Path
        Columns `ts` (ns since 1970, UTC), `store`, `anchor`, `device` (strings), `rssi_dbm`.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If there is no such file, it cannot be read at all, or it lacks a column.
    """
    must_be_file(path)
    try:
        with path.open("rb") as file:
            beginning = file.read(len(MAGIC))
    except OSError as error:
        raise RecordingError(
            f"The recording cannot be read: {error.strerror}.", hint=UNREAD, where=str(path)
        ) from error
    if not beginning:
        raise RecordingError("The file is empty.", hint="A recording begins with a header.", where=str(path))
    return ParquetRecording(path) if beginning == MAGIC else CsvRecording(path)
