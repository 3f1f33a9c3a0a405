"""What goes from an archive: days that are older than the policy, and the signals of people who were erased."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from core.errors import InputError, UnavailableError
from core.privacy.suppression import Spans
from storage.archive.partitions import (
    ROW_GROUP,
    Partition,
    checksum,
    contents,
    fetch,
    hers,
    lose,
    partitions,
    put,
    read_manifest,
    remove,
)
from storage.archive.places import Place, is_draft
from storage.archive.workspace import Workspace

_AWAY: Final = 3
"""Days in a row that cannot be read or written: the archive is away, and each more would wait a minute for it."""


@dataclass
class Erased:
    """What came of an erasure: signals that went, the days that they were in, and days that are lost.

    Of a lost day nothing could be read and nothing made it anew, so all of it went: who is in it cannot be known.
    """

    signals: int = 0
    days: list[Partition] = field(default_factory=list)
    lost: list[Partition] = field(default_factory=list)


def drop_before(place: Place, day: date) -> list[Partition]:
    """Take away the days before one; return them."""
    gone = [one for one in partitions(place) if one.day < day]
    for one in gone:
        remove(place, one)
    return gone


def sweep(place: Place, renewed: Callable[[Partition], bool]) -> list[Partition]:
    """Take away what no manifest vouches for: drafts of killed processes, and files that `renewed` cannot make anew.

    Returns
    -------
    list of Partition
        Days that are lost.
    """
    lost = []
    for one, names in contents(place).items():
        for name in names:
            if is_draft(name):
                place.remove(name)
            else:
                place.close_to_others(name)
        if one.part in names and one.manifest not in names and not renewed(one):
            lose(place, one)
            lost.append(one)
    return lost


def erase(
    place: Place,
    spans: Spans,
    version: int | None = None,
    *,
    renewed: Callable[[Partition], bool] = lambda _: False,
) -> Erased:
    """Write every partition anew that holds signals of somebody who was erased, without them.

    A day that is damaged keeps nobody from the days after it. Interrupted, this is called again: partitions that are
    done hold nothing of them any more.

    Parameters
    ----------
    place : Place
    spans : callable
        Tells of a pseudonym when it was that of somebody who was erased.
    version : int, optional
        Of the suppression list that `spans` knows: partitions that were gone through with it are left.
    renewed : callable
        Makes a damaged partition anew, and says whether it could. What stays damaged is taken away: it may hold them.

    Returns
    -------
    Erased

    Raises
    ------
    UnavailableError
        If the archive is away, or a day of it, after the others were gone through.
    """
    done = Erased()
    away: UnavailableError | None = None
    in_a_row = 0
    for one in partitions(place):
        try:
            _without(place, one, spans, version, renewed=renewed, done=done)
            in_a_row = 0
        except UnavailableError as error:
            away, in_a_row = error, in_a_row + 1
            if in_a_row == _AWAY:
                break
    if away is not None:
        raise away
    return done


def _without(
    place: Place,
    one: Partition,
    spans: Spans,
    version: int | None,
    *,
    renewed: Callable[[Partition], bool],
    done: Erased,
) -> None:
    try:
        went = _erase(place, one, spans, version)
    except InputError:
        if not renewed(one):
            lose(place, one)
            done.lost.append(one)
            return
        # the log may hold nothing of the day any more: it is gone then
        went = _erase(place, one, spans, version) if place.size(one.part) is not None else 0
    if went:
        done.signals += went
        done.days.append(one)


def _erase(place: Place, one: Partition, spans: Spans, version: int | None) -> int:
    known = read_manifest(place, one)
    if known is not None and known.lost:
        place.remove(one.part)  # it went before; unless whoever took it away was killed meanwhile
        return 0
    if version is not None and known is not None and known.next is None and known.list_version >= version:
        return 0
    with Workspace() as folder:
        held, made = Path(folder, "held"), Path(folder, "made")
        before = fetch(place, one, held)
        manifest = msgspec.structs.replace(before, list_version=max(before.list_version, version or 0))
        scan = pl.scan_parquet(held, glob=False)
        rows = hers(scan.select("device").unique().collect()["device"], spans)
        count = 0 if rows is None else int(scan.filter(rows).select(pl.len()).collect().item())
        if rows is None or not count:
            if manifest != known:
                place.write(one.manifest, msgspec.json.encode(manifest))
            return 0
        scan.filter(~rows).sink_parquet(made, compression="zstd", row_group_size=ROW_GROUP)
        kept = msgspec.structs.replace(
            manifest,
            rows=manifest.rows - count,
            sha256=checksum(made),
            bytes=made.stat().st_size,
            archived_at=datetime.now(UTC),
        )
        put(place, one, made, kept, before)
    return count
