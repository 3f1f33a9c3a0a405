"""Visits revised: a window decoded again, compared with what stands, and written in one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.dwell.revise import free_name, revise
from core.dwell.spells import CLOCKS_NS
from core.errors import InputError
from core.records import VisitArray
from ingest.heard import LogSource, Source
from ingest.redecode import DAY_NS, Decoded, Ground, redecode
from storage.connect import Connection, in_transaction
from storage.log.late import close_late
from storage.revisions import (
    ADDED,
    CHANGES,
    CORRECTED,
    RESTORED,
    WITHDRAWN,
    Changes,
    Reason,
    StoredVisits,
    names_in_use,
    save_changes,
    stored_visits,
)
from storage.visits import visit_ids

CHANGES_MOST: Final = 1_000_000
"""Changes of one revision: 150 MB while they are collected, and a transaction of a minute."""


_LateSpell: TypeAlias = tuple[int, bytes, int]
"""Row of the log, pseudonym, end of the spell: the same in each day's run that meets it."""


@dataclass(frozen=True)
class Window:
    """Spells that begin within `from_ns` <= t < `until_ns`; with `late_only` those with late signals."""

    from_ns: int
    until_ns: int
    late_only: bool


@dataclass
class Outcome:
    """What a revision found.

    `spells` were looked at; those `left_alone` are not over, or reach beyond what can be decoded. `unchanged` visits
    stay, `counts` tells how many change in which way. `rows` are late batches to be closed.
    """

    spells: int = 0
    left_alone: int = 0
    unchanged: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))
    parts: list[Changes] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    late_done: set[_LateSpell] = field(default_factory=set)
    late_waits: set[_LateSpell] = field(default_factory=set)
    days_before: set[int] = field(default_factory=set)
    """Days in which spells with late signals begin, ahead of the day in which they were met."""

    @property
    def changes(self) -> int:
        """How many visits change."""
        return sum(self.counts.values())

    @property
    def settled_rows(self) -> set[int]:
        """Late batches that were met and of which no spell waits."""
        waits = {row for row, *_ in self.late_waits - self.late_done}
        return {row for row, *_ in self.late_done} - waits


def find(
    connection: Connection,
    on: Ground,
    window: Window,
    day_list: Iterable[int],
    *,
    source: Source | None = None,
    progress: Callable[[float], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome | None:
    """Make out what changes when the days are decoded again; nothing is written. None if it was stopped.

    Signals come from `source`, by default the signal log.

    Raises
    ------
    InputError
        If more than CHANGES_MOST visits would change.
    """
    wanted = list(day_list)
    read = source if source is not None else LogSource(connection, on.store_no)
    found = Outcome()
    for number, day_ns in enumerate(wanted):
        decoded = redecode(
            read,
            on,
            day_ns,
            progress=lambda share, number=number: progress((number + share) / len(wanted)),  # type: ignore[misc]
            stopped=stopped,
        )
        if decoded is None:
            return None
        _compare(connection, on, window, decoded, found)
        if found.changes > CHANGES_MOST:
            raise InputError(f"More than {CHANGES_MOST:,} visits would change.", hint="Take a shorter window.")
    return found


def write(connection: Connection, store_no: int, found: Outcome, reason: Reason) -> None:
    """Write what was found, all or nothing.

    Raises
    ------
    InputError
        If a visit changed in the meantime.
    UnavailableError
        If the database is away.
    """
    if not found.changes and not found.rows:
        return

    def work(connection: Connection) -> None:
        for part in found.parts:
            save_changes(connection, store_no, part, reason)
        close_late(connection, store_no, sorted(found.rows))

    in_transaction(connection, work)


def _compare(connection: Connection, on: Ground, window: Window, decoded: Decoded, found: Outcome) -> None:
    """Add what changes in the spells that begin in one day."""
    spells, day_ns = decoded.spells, decoded.day_ns
    begins, ends = max(window.from_ns, day_ns), min(window.until_ns, day_ns + DAY_NS)
    asked = (spells.begin >= begins) & (spells.begin < ends)
    touched = np.zeros(len(spells.device), np.bool_)
    touched[decoded.late_spell[decoded.late_spell >= 0]] = True
    _settle(decoded, found)
    if window.late_only:
        asked &= touched
    chosen = asked & spells.whole & decoded.over
    found.spells += int(np.count_nonzero(asked))
    found.left_alone += int(np.count_nonzero(asked & ~chosen))
    if not chosen.any():
        return
    from_ns, until_ns = int(spells.begin[chosen].min()), int(spells.end[chosen].max())
    stored = stored_visits(connection, on.store_no, from_ns - CLOCKS_NS, until_ns + CLOCKS_NS + 1)
    stored.visits["device"] = decoded.devices.index(stored.devices)
    stands = np.flatnonzero(_chosen(decoded, stored.visits, chosen) & ~stored.withdrawn)
    again = np.flatnonzero(_chosen(decoded, decoded.visits, chosen))
    pairs = revise(stored.visits[stands], decoded.visits[again])
    found.unchanged += len(pairs.unchanged)
    if not pairs.changes:
        return
    what = _What(
        stands[pairs.withdrawn],
        stands[pairs.corrected[:, 0]],
        again[pairs.corrected[:, 1]],
        again[pairs.added],
    )
    part = _changes(connection, on, decoded, stored, what)
    for place, count in enumerate(np.bincount(part.change, minlength=len(CHANGES)).tolist()):
        found.counts[CHANGES[place]] += count
    found.parts.append(part)


def _settle(decoded: Decoded, found: Outcome) -> None:
    """Tell late signals whose spells are decoded again, or never can be, from those whose spells wait."""
    spells, day_ns = decoded.spells, decoded.day_ns
    met = np.unique(np.stack([decoded.late_row, decoded.late_spell], axis=1), axis=0)
    for row, spell in met[met[:, 1] >= 0].tolist():
        device = decoded.devices.pseudonyms(spells.device[spell : spell + 1]).tobytes()
        begin, key = int(spells.begin[spell]), (row, device, int(spells.end[spell]))
        here = day_ns <= begin < day_ns + DAY_NS
        if not spells.whole[spell] or (here and decoded.over[spell]):
            found.late_done.add(key)
        else:
            found.late_waits.add(key)
        if spells.whole[spell] and begin < day_ns:
            found.days_before.add(begin // DAY_NS * DAY_NS)


def _chosen(decoded: Decoded, visits: VisitArray, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    device = visits["device"].astype(np.int64)
    spell = decoded.spells.holding(device, visits["entered_at"], visits["left_at"])
    return (spell >= 0) & chosen[np.maximum(spell, 0)]


@dataclass(frozen=True)
class _What:
    """Which stored visits are withdrawn or corrected, and which decoded ones take their place or are added."""

    withdrawn: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    added: NDArray[np.int64]


def _changes(connection: Connection, on: Ground, decoded: Decoded, stored: StoredVisits, what: _What) -> Changes:
    """Give every change its name and its revision."""
    withdrawn, before, after, added = what.withdrawn, what.before, what.after, what.added
    devices = decoded.devices.pseudonyms(decoded.visits["device"][added])
    names, restored = _names(connection, visit_ids(on.plan, decoded.visits[added], devices), stored)
    gone = np.array([place for place in restored if place >= 0], np.int64)
    again = np.array([place >= 0 for place in restored], np.bool_)
    stood = np.concatenate([withdrawn, before, gone])
    visits = np.concatenate(
        [stored.visits[withdrawn], decoded.visits[after], decoded.visits[added[again]], decoded.visits[added[~again]]]
    )
    visits["role"][: len(stood)] = np.maximum(visits["role"][: len(stood)], stored.visits["role"][stood])
    visits["revision"] = 0
    visits["revision"][: len(stood)] = stored.visits["revision"][stood] + 1
    entered = np.zeros(len(visits), np.int64)
    entered[: len(stood)] = stored.visits["entered_at"][stood]
    # no model finds a withdrawn visit; the last one of its day says enough
    last = decoded.versions[-1:] if len(decoded.versions) else np.zeros(1, np.int32)
    kinds = [(withdrawn, WITHDRAWN), (before, CORRECTED), (gone, RESTORED), (added[~again], ADDED)]
    return Changes(
        visits=visits,
        ids=np.concatenate([stored.ids[stood], names[~again]]),
        devices=decoded.devices.pseudonyms(visits["device"]),
        model_versions=np.concatenate(
            [
                np.repeat(last, len(withdrawn)),
                decoded.versions[after],
                decoded.versions[added[again]],
                decoded.versions[added[~again]],
            ]
        ).astype(np.int32),
        change=np.concatenate([np.full(len(rows), change, np.int16) for rows, change in kinds]),
        before_entered_at=entered,
    )


def _names(
    connection: Connection, own: NDArray[np.uint8], stored: StoredVisits
) -> tuple[NDArray[np.uint8], list[int]]:
    """Return a name for each added visit, and the withdrawn one that it brings back (-1: none)."""
    gone = {stored.ids[place].tobytes(): place for place in np.flatnonzero(stored.withdrawn).tolist()}
    wanted = [name.tobytes() for name in own]
    taken = names_in_use(connection, wanted) - gone.keys()
    names: list[bytes] = []
    restored: list[int] = []
    for first in wanted:
        name = first
        while name in taken:
            name = free_name(name, {name})
            if name not in gone and names_in_use(connection, [name]):
                taken.add(name)
        taken.add(name)
        names.append(name)
        restored.append(gone.get(name, -1))
    return np.frombuffer(b"".join(names), np.uint8).reshape(-1, 16), restored
