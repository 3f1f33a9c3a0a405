"""One task of a recomputation: a day of a store decoded again, compared, and what changes kept for the switch."""

import time
from dataclasses import replace

from core.dwell.spells import BEFORE_ALL_NS
from core.errors import InputError
from ingest.heard import ArchiveSource, LogSource, Source
from ingest.redecode import Ground, ground
from ingest.revising import Window, find
from storage.archive.places import Place
from storage.archive.reading import Reach, reach
from storage.connect import Connection, in_transaction
from storage.privacy.keys import PrivacyFolder
from storage.privacy.suppression import load_suppressed
from storage.recompute.runs import Run, StoreOfRun, Task, store_of
from storage.recompute.switch import Found, erasures_so_far, is_waiting, keep_task, revisions


def work(connection: Connection, run: Run, task: Task, privacy: PrivacyFolder | None) -> bool:
    """Do a task; False if it was done before. Two workers with the same task keep one answer.

    Where somebody was erased meanwhile nothing is kept, as she may be in it; the task waits to be done again.

    Raises
    ------
    ConfigurationError
        If signals come from an archive, people were erased, and the key of their list is not in `privacy`.
    InputError
        If the run is over, the floor plan was changed since it began, or too much would change.
    UnavailableError
        If the database is away.
    """
    store = store_of(connection, run.run_no, task.store_no)
    if not is_waiting(connection, run.run_no, task):
        return False
    began_s = time.monotonic()
    erasures = erasures_so_far(connection)
    on, source = _ground(connection, run.asked.archive, store, privacy)
    before = revisions(connection, task.store_no)
    window = Window(run.asked.from_ns, run.asked.until_ns, late_only=False)
    found = find(connection, on, window, [task.day_ns], source=source)
    if found is None:  # only who asks it to stop gets none
        raise RuntimeError("Decoding again was stopped.")
    kept = Found(
        spells=found.spells,
        left_alone=found.left_alone,
        unchanged=found.unchanged,
        parts=found.parts,
        revisions=before,
        erasures=erasures,
        took_s=time.monotonic() - began_s,
    )
    return in_transaction(connection, lambda connection: keep_task(connection, run.run_no, task, kept))


def _ground(
    connection: Connection, archive: str | None, store: StoreOfRun, privacy: PrivacyFolder | None
) -> tuple[Ground, Source]:
    """Return what the day is decoded with, the same as when the run was made, and where its signals are."""
    on = ground(connection, store.store_no, store.model_version)
    if on is None or on.after != store.after:
        raise InputError(
            "The floor plan of a store was changed since this recomputation began.", hint="Begin anew: --afresh."
        )
    on = replace(on, through_ns=min(on.through_ns, store.through_ns))
    if archive is None:
        return on, LogSource(connection, store.store_no)
    place = Place(archive)
    held = reach(place, on.plan.id, on.after)
    if held is None:
        raise InputError(f"The archive {archive} has nothing of a store any more.", hint="Begin anew: --afresh.")
    return replace(on, since_ns=heard_since(held)), ArchiveSource(place, load_suppressed(connection, privacy))


def heard_since(held: Reach) -> int:
    """Return from when on all is heard by an archive, by rows after the floor plan that is decoded with."""
    if held.before_ns is not None:
        return held.before_ns
    return BEFORE_ALL_NS if held.whole_before else held.first_ns
