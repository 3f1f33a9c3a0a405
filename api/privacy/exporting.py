"""An access export as a ZIP file, written while it is sent: memory holds one part of one place."""

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from api.privacy.models import kept
from storage.privacy.export import exported_places, place_rows
from storage.privacy.places import Subject
from storage.reading import Reader

_FORMAT: Final = "sojourn access export 1"


class _Pipe(io.RawIOBase):
    """What a ZIP file writes, to be taken out piece by piece; it cannot seek, so nothing is written twice."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Whether it takes bytes: it does."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zip_of(reader: Reader, subject: Subject, at: datetime) -> Iterator[bytes]:
    """Yield the file; `manifest.json` comes last and counts the rows, so a file without it is not whole."""
    pipe = _Pipe()
    counts: list[dict[str, Any]] = []
    with ZipFile(pipe, "w", ZIP_DEFLATED) as archive:
        for place in exported_places():
            rows = 0
            with archive.open(f"{place.table}.json", "w") as file, reader.connection() as connection:
                before = b"[\n"
                for part in place_rows(connection, place, subject):
                    for row in part:
                        file.write(before + msgspec.json.encode(row))
                        before = b",\n"
                    rows += len(part)
                    yield pipe.taken()
                file.write(b"[]\n" if rows == 0 else b"\n]\n")
            counts.append(
                {
                    "file": f"{place.table}.json",
                    "rows": rows,
                    "holds": place.holds,
                    "why": place.why,
                    "kept": kept(place.kept),
                }
            )
            yield pipe.taken()
        manifest = {"format": _FORMAT, "made_at": at, "profiles": subject.profiles, "files": counts}
        archive.writestr("manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    yield pipe.taken()
