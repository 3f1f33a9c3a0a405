"""One day (UTC) of one store in an archive: Parquet that `sojourn replay` reads, and a manifest that vouches for it.

A first file is written before its manifest, without which it counts for nothing. One that takes another's place is
announced by the manifest before, so that at any moment what stands there is vouched for.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from core.errors import InputError
from storage.archive.places import Place
from storage.instants import to_ns

DAY_NS: Final = 86_400_000_000_000
SCHEMA: Final = {
    "ts": pl.Int64,  # ns since 1970
    "store": pl.String,
    "anchor": pl.String,
    "device": pl.String,  # the pseudonym, 32 hexadecimal digits
    "rssi_dbm": pl.Int16,
    "log_no": pl.Int64,
}
"""In the order of the signal log, which is that of arrival."""
ROW_GROUP: Final = 262_144
"""Rows that are read together: some minutes of a large store, 10 MB in memory."""
_PART: Final = "part.parquet"
_MANIFEST: Final = "manifest.json"
_PIECE: Final = 1 << 20


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a partition: its rows from the log up to `through_log_no`, and the file's checksum.

    `whole_before` says that nothing was ever heard of the store before its first signal here.
    """

    rows: int
    sha256: str
    bytes: int
    first_log_no: int
    through_log_no: int
    first_ns: int
    last_ns: int
    whole_before: bool
    archived_at: datetime
    list_version: int = 0
    """Of the suppression list whose people are not in here any more."""
    next: "Manifest | None" = None
    """Of the file that is about to take the place of this one: either of the two stands there."""


class Partition(msgspec.Struct, frozen=True):
    """A day of a store."""

    store: str
    day: date

    @property
    def begin_ns(self) -> int:
        """The beginning of the day."""
        return to_ns(datetime.combine(self.day, time(), UTC))

    @property
    def folder(self) -> str:
        """Where it is in an archive."""
        return f"store={self.store}/day={self.day.isoformat()}"

    @property
    def part(self) -> str:
        """The path of its signals."""
        return f"{self.folder}/{_PART}"

    @property
    def manifest(self) -> str:
        """The path of its manifest."""
        return f"{self.folder}/{_MANIFEST}"


def partitions(place: Place, store: str | None = None) -> list[Partition]:
    """Return what an archive holds of a store, or of all, by store and day."""
    found = []
    for name in place.names("" if store is None else f"store={store}"):
        parts = name.split("/")
        if (
            len(parts) == 3
            and parts[2] == _MANIFEST
            and parts[0].startswith("store=")
            and parts[1].startswith("day=")
        ):
            found.append(
                Partition(parts[0].removeprefix("store="), date.fromisoformat(parts[1].removeprefix("day=")))
            )
    return sorted(found, key=lambda one: (one.store, one.day))


def read_manifest(place: Place, one: Partition) -> Manifest | None:
    """Return what a partition says of itself; None if it is not there or cannot be read."""
    said = place.read(one.manifest)
    try:
        return None if said is None else msgspec.json.decode(said, type=Manifest)
    except msgspec.MsgspecError:
        return None


def fetch(place: Place, one: Partition, into: Path) -> Manifest:
    """Copy the signals of a partition into a file, and return its manifest, which fits.

    Raises
    ------
    InputError
        If there is none, or the file is not what the manifest says.
    UnavailableError
        If the archive is away.
    """
    manifest = read_manifest(place, one)
    if manifest is not None and place.fetch(one.part, into):
        found = checksum(into)
        for known in (manifest, manifest.next):
            if known is not None and known.sha256 == found:
                return msgspec.structs.replace(known, next=None)
    raise InputError(
        f"{one.folder} of the archive {place.target} is damaged.",
        hint="`sojourn archive` makes it anew while the signal log has that day.",
    )


def put(place: Place, one: Partition, made: Path, manifest: Manifest, before: Manifest | None) -> None:
    """Let a file take its place, and read it back; whoever is killed in between leaves what can be read.

    Raises
    ------
    InputError
        If what is read back is not what was written.
    UnavailableError
        If the archive is away.
    """
    if before is not None:
        place.write(one.manifest, msgspec.json.encode(msgspec.structs.replace(before, next=manifest)))
    place.write(one.part, made)
    place.write(one.manifest, msgspec.json.encode(manifest))
    fetch(place, one, made)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = sha256()
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
