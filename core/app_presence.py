"""What an app tells of beacons and geofences, as a batch: pure.

The clock of a phone is not trusted. An event is as old as the phone says it is by its own clock at the time of
sending; that age, within bounds, counts back from when we received it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from core.errors import InputError
from core.limits import NS_PER_S, PSEUDONYM_BYTES, RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import APP_ENTER, APP_EXIT
from core.wire import Batch

EVENTS_MOST: Final = 1000
"""Of one request: five seconds of ranging a minute for an hour, three beacons at a time."""
MOST_AGE_S: Final = 24 * 3600
"""An app that finds no network for a day is no presence any more; ingest would take a week."""
_SPAN_NS: Final = 3600 * NS_PER_S
"""Of one batch, which can hold 71 minutes."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is a signal: `level` in dBm, or APP_ENTER or APP_EXIT; `at_ns` by our clock."""

    at_ns: int
    anchor: str
    level: int


def level_of(kind: str, rssi_dbm: int | None) -> int:
    """Return the level of an event of kind enter, exit or ranging.

    Raises
    ------
    InputError
        If ranging has no level that a radio can have.
    """
    if kind != "ranging":
        return APP_ENTER if kind == "enter" else APP_EXIT
    if rssi_dbm is None or not RSSI_MIN_DBM <= rssi_dbm <= RSSI_MAX_DBM:
        raise InputError("Ranging needs the level in dBm; leave it out where the system does not know it.")
    return rssi_dbm


def received_time(at_ns: int, sent_ns: int, received_ns: int) -> int:
    """Return when an event was, by our clock.

    Parameters
    ----------
    at_ns, sent_ns : int
        When it was and when it was sent, by the phone's clock.
    received_ns : int
        By ours. The result is never after it: what is said to be after the sending was at the sending.

    Raises
    ------
    InputError
        If it is older than MOST_AGE_S.
    """
    age_ns = max(sent_ns - at_ns, 0)
    if age_ns > MOST_AGE_S * NS_PER_S:
        raise InputError("The event is older than a day.", hint="Leave it out.")
    return received_ns - age_ns


def pieces(told: Sequence[Told]) -> list[list[Told]]:
    """Return events in order of time, cut where they would not fit one batch."""
    cut: list[list[Told]] = []
    for one in sorted(told, key=lambda one: one.at_ns):
        if not cut or one.at_ns - cut[-1][0].at_ns > _SPAN_NS:
            cut.append([])
        cut[-1].append(one)
    return cut


def app_batch(boot: bytes, sequence: int, device: bytes, told: Sequence[Told]) -> Batch:
    """Return signals of one installation as a batch.

    Parameters
    ----------
    boot, sequence : bytes, int
        Whose batch it is, as `core.wire.Batch` has it.
    device : bytes
        PSEUDONYM_BYTES.
    told : sequence of Told
        At least one, as `pieces` cuts them.
    """
    anchors = tuple(dict.fromkeys(one.anchor for one in told))
    return Batch(
        boot=boot,
        sequence=sequence,
        anchors=anchors,
        devices=np.frombuffer(device, np.uint8).reshape(1, PSEUDONYM_BYTES),
        ts=np.array([one.at_ns // 1000 * 1000 for one in told], np.int64),  # the wire counts microseconds
        anchor=np.array([anchors.index(one.anchor) for one in told], np.uint16),
        device=np.zeros(len(told), np.uint16),
        rssi_dbm=np.array([one.level for one in told], np.int16),
    )
