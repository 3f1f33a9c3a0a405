"""Nobody in the place of erased people in what engines wrote down: snapshots and presence."""

from dataclasses import replace

from core.dwell.devices import Erased
from core.dwell.snapshot import redacted
from core.errors import SnapshotError
from core.privacy.suppression import Suppressed
from storage.connect import Connection
from storage.log.snapshots import good_snapshots, keep_only, save_snapshot


def redact_engines(connection: Connection, suppressed: Suppressed) -> int:
    """Rewrite the snapshots of all stores and take erased people out of presence; in a transaction.

    A snapshot that cannot be read goes: nobody knows whom it holds, and the log gives the same engine.

    Returns
    -------
    int
        Snapshots that were rewritten or went, and rows of presence.
    """
    changed = 0
    for (store_no,) in connection.execute("select distinct store_no from engine_snapshot").fetchall():
        changed += _redact_snapshots(connection, store_no, suppressed.erased)
    present = connection.execute("select store_no, device from presence").fetchall()
    for store_no, device in present:
        if suppressed.now(device.bytes):
            connection.execute("delete from presence where store_no = %s and device = %s", [store_no, device])
            changed += 1
    return changed


def _redact_snapshots(connection: Connection, store_no: int, erased: Erased) -> int:
    kept: list[int] = []
    changed = 0
    for snapshot in list(good_snapshots(connection, store_no)):
        try:
            state = redacted(snapshot.state, erased)
        except SnapshotError:  # of another version of the engine
            continue
        kept.append(snapshot.log_no)
        if state is not None:
            save_snapshot(connection, store_no, replace(snapshot, state=state))
            changed += 1
    return changed + keep_only(connection, store_no, kept)
