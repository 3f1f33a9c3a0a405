"""One day (UTC) of one store in an archive: Parquet that `sojourn replay` reads, and a manifest that vouches for it.

A manifest is written before its file, and goes after it: no signals stand in an archive without one, whoever is
killed when. A file that takes another's place is announced by the manifest before, so that at any moment what stands
there is vouched for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from core.errors import InputError
from core.privacy.suppression import Spans
from storage.archive.places import Place
from storage.archive.workspace import Workspace
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
    lost: bool = False
    """The file could not be read any more and was taken away: the day is not without signals, they are not known."""
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


def contents(place: Place, store: str | None = None) -> dict[Partition, set[str]]:
    """Return the files that an archive holds of each day of a store, or of all; a day may lack one of its two."""
    found: dict[Partition, set[str]] = defaultdict(set)
    for name in place.names("" if store is None else f"store={store}"):
        parts = name.split("/")
        if len(parts) == 3 and parts[0].startswith("store=") and parts[1].startswith("day="):
            day = date.fromisoformat(parts[1].removeprefix("day="))
            found[Partition(parts[0].removeprefix("store="), day)].add(name)
    return found


def partitions(place: Place, store: str | None = None) -> list[Partition]:
    """Return what an archive holds of a store, or of all, by store and day; also what lacks its manifest or file."""
    held = [one for one, names in contents(place, store).items() if names & {one.part, one.manifest}]
    return sorted(held, key=lambda one: (one.store, one.day))


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
        If there is none, it is lost, or the file is not what the manifest says.
    UnavailableError
        If the archive is away.
    """
    manifest = read_manifest(place, one)
    if manifest is not None and not manifest.lost and place.fetch(one.part, into):
        found = checksum(into)
        for known in (manifest, manifest.next):
            if known is not None and known.sha256 == found:
                return msgspec.structs.replace(known, next=None)
    word = "lost" if manifest is not None and manifest.lost else "damaged"
    raise InputError(
        f"{one.folder} of the archive {place.target} is {word}.",
        hint="`sojourn archive --check` makes it anew while the signal log has that day.",
    )


def stands(place: Place, one: Partition, manifest: Manifest, *, read: bool) -> bool:
    """Whether the file of a partition has the size that its manifest says; with `read`, the checksum too."""
    if manifest.lost:
        return False
    known = (manifest, manifest.next)
    if place.size(one.part) not in [version.bytes for version in known if version is not None]:
        return False
    if not read:
        return True
    with Workspace() as folder:
        try:
            fetch(place, one, Path(folder, "read"))
        except InputError:
            return False
    return True


def put(place: Place, one: Partition, made: Path, manifest: Manifest, before: Manifest | None) -> None:
    """Let a file take its place, and read it back; whoever is killed in between leaves what can be read.

    Raises
    ------
    InputError
        If what is read back is not what was written.
    UnavailableError
        If the archive is away.
    """
    if before is None:
        place.remove(one.part)  # nothing vouches for what may stand there
        place.write(one.manifest, msgspec.json.encode(manifest))
    else:
        place.write(one.manifest, msgspec.json.encode(msgspec.structs.replace(before, next=manifest)))
    place.write(one.part, made)
    if before is not None:
        place.write(one.manifest, msgspec.json.encode(manifest))
    fetch(place, one, made)


def remove(place: Place, one: Partition) -> None:
    """Take a partition away, the signals first: what is cut off in between leaves none, and is found again."""
    place.remove(one.part)
    place.remove(one.manifest)


def lose(place: Place, one: Partition) -> None:
    """Take the file of a partition away that nobody can read, and note that the day is not known any more.

    Without a word of it, decoding again would take the day for one in which nobody came.
    """
    known = read_manifest(place, one)
    if known is None:
        known = Manifest(
            rows=0,
            sha256="",
            bytes=0,
            first_log_no=-1,
            through_log_no=-1,
            first_ns=one.begin_ns,
            last_ns=one.begin_ns + DAY_NS - 1,
            whole_before=False,
            archived_at=datetime.now(UTC),
        )
    place.remove(one.part)
    place.write(one.manifest, msgspec.json.encode(msgspec.structs.replace(known, lost=True, next=None)))


def hers(devices: Iterable[str], spans: Spans) -> pl.Expr | None:
    """Return which rows of these devices are of somebody who was erased; None if nobody was."""
    found = [
        (pl.col("device") == device) & (pl.col("ts") >= span.from_ns) & (pl.col("ts") < span.until_ns)
        for device in devices
        for span in spans(bytes.fromhex(device))
    ]
    return pl.any_horizontal(found) if found else None


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
