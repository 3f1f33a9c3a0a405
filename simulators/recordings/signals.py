"""Rows of one store, judged and turned into signals."""

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.limits import NS_PER_US, PSEUDONYM_BYTES, RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import APP_ENTER, APP_EXIT, SIGNAL, SignalArray
from simulators.recordings.leaps import Leap, Leaps
from simulators.recordings.rejects import REJECTS_SCHEMA, Reason
from simulators.recordings.rows import COLUMNS, ROWS_SCHEMA, Rows
from simulators.recordings.times import Times

Numbering: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.int32]]
"""Gives each row of a (k, 16) array of device ids its dense index, the same one every time."""


class Split(NamedTuple):
    """Rows by store, and those of no store."""

    stores: dict[str, pl.DataFrame]
    rejects: pl.DataFrame


def split(rows: Rows, stores: frozenset[str]) -> Split:
    """Part some rows by store; rows that could not be read or name no store of the plan are rejects."""
    frame = rows.frame
    known = pl.col("store").is_in(sorted(stores))
    reason = (
        pl.when(pl.col("readable").not_() | pl.col("ts").is_null())
        .then(pl.lit(Reason.UNREADABLE_ROW.value))
        .when(known.fill_null(value=False).not_())
        .then(pl.lit(Reason.UNKNOWN_STORE.value))
    )
    judged = frame.with_row_index("place").with_columns(reason.alias("reason"))
    refused = judged.filter(pl.col("reason").is_not_null())
    good = judged if refused.is_empty() else judged.filter(pl.col("reason").is_null())
    if good.is_empty():
        parts = {}
    elif (good["store"] == good["store"][0]).all():
        parts = {str(good["store"][0]): good}
    else:
        parts = {str(key[0]): part for key, part in good.partition_by("store", as_dict=True).items()}
    return Split(parts, as_rejects(rows, refused))


def as_rejects(rows: Rows, refused: pl.DataFrame) -> pl.DataFrame:
    """Return refused rows (`line`, `place`, `reason`) with their values as written, by REJECTS_SCHEMA."""
    if refused.is_empty():
        return REJECTS_SCHEMA.to_frame()
    return pl.concat(
        [refused.select("line", "reason"), rows.written(refused["place"].cast(pl.Int64).to_numpy())], how="horizontal"
    )


def device_id(name: str) -> bytes:
    """Return the 16 bytes that stand for a device of a recording."""
    return blake2b(name.encode(), digest_size=PSEUDONYM_BYTES).digest()


class Devices:
    """The devices of one store: the strings of the recording and the dense indices that stand for them.

    Here the strings are the user's own and come back in VISITS, so an unkeyed hash does for an id; it never leaves
    this process.
    """

    def __init__(self, numbering: Numbering) -> None:
        self._numbering = numbering
        self._index_of: dict[str, int] = {}
        self._name_of: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._index_of)

    def index(self, names: pl.Series) -> NDArray[np.int32]:
        """Return the dense index of each name; new ones are added."""
        different = names.unique(maintain_order=True)
        new = [name for name in different if name not in self._index_of]
        if new:
            ids = b"".join(map(device_id, new))
            given = self._numbering(np.frombuffer(ids, np.uint8).reshape(-1, PSEUDONYM_BYTES)).tolist()
            self._index_of.update(zip(new, given, strict=True))
            self._name_of.update(zip(given, new, strict=True))
        index_of = np.array([self._index_of[name] for name in different], np.int32)
        return index_of.take(_places(names, different))

    def find(self, name: str) -> int | None:
        """Return the dense index of a device, None if it was never heard of."""
        return self._index_of.get(name)

    def names(self, index: NDArray[np.int32]) -> pl.Series:
        """Return what the devices are called in the recording."""
        different, places = np.unique(index, return_inverse=True)
        names = pl.Series([self._name_of[place] for place in different.tolist()], dtype=pl.String)
        return names.gather(places)


class StoreRows:
    """Turns the rows of one store into signals.

    Parameters
    ----------
    store : StorePlan
    numbering : Numbering
        Who gives devices their dense indices.
    """

    def __init__(self, store: StorePlan, numbering: Numbering) -> None:
        self.devices = Devices(numbering)
        self._anchors = pl.Series(list(store.anchor_index), dtype=pl.String)
        self._times = Times()
        self._leaps = Leaps()
        self._waiting = ROWS_SCHEMA.to_frame()

    @property
    def leap(self) -> Leap | None:
        """The first row that lies far ahead of its neighbours."""
        return self._leaps.lone

    def signals(self, rows: Rows, part: pl.DataFrame) -> tuple[SignalArray, pl.DataFrame]:
        """Judge some rows of the store.

        Parameters
        ----------
        rows : Rows
            Where they come from.
        part : DataFrame
            As `split` gave them.

        Returns
        -------
        ndarray of SIGNAL
            In order of arrival, `ts` floored to microseconds, `rssi_dbm` rounded to whole dBm.
        DataFrame
            Rejects.
        """
        judged = part.with_columns(self._reason().alias("reason"))
        refused = judged.filter(pl.col("reason").is_not_null())
        good = judged if refused.is_empty() else judged.filter(pl.col("reason").is_null())
        signals, impossible = self._in_time(good.select(ROWS_SCHEMA.names()), last=False)
        return signals, pl.concat([as_rejects(rows, refused), impossible])

    def rest(self) -> tuple[SignalArray, pl.DataFrame]:
        """Return what still waited for rows after it, once there are none."""
        return self._in_time(ROWS_SCHEMA.to_frame(), last=True)

    def _reason(self) -> pl.Expr:
        rssi = pl.col("rssi_dbm")
        known = pl.col("anchor").is_in(self._anchors.implode()).fill_null(value=False)
        device = pl.col("device")
        return (
            pl.when(known.not_())
            .then(pl.lit(Reason.UNKNOWN_ANCHOR.value))
            .when(device.is_null() | (device.str.strip_chars() == ""))
            .then(pl.lit(Reason.EMPTY_DEVICE.value))
            .when(rssi.is_null() | rssi.is_nan())
            .then(pl.lit(Reason.MISSING_RSSI.value))
            .when(((rssi < RSSI_MIN_DBM) | (rssi > RSSI_MAX_DBM)) & ~rssi.is_in([float(APP_ENTER), float(APP_EXIT)]))
            .then(pl.lit(Reason.IMPOSSIBLE_RSSI.value))
        )

    def _in_time(self, rows: pl.DataFrame, *, last: bool) -> tuple[SignalArray, pl.DataFrame]:
        together = pl.concat([self._waiting, rows]) if len(self._waiting) else rows
        judged = self._times.judge(together["ts"].to_numpy(), last=last)
        self._waiting = together[judged.decided :]
        decided = together[: judged.decided]
        if judged.possible.all():
            return self._pack(decided, last=last), REJECTS_SCHEMA.to_frame()
        refused = decided.filter(pl.Series(~judged.possible))
        written = refused.select(
            "line", pl.lit(Reason.IMPOSSIBLE_TIME.value).alias("reason"), pl.col(COLUMNS).cast(pl.String)
        )
        return self._pack(decided.filter(pl.Series(judged.possible)), last=last), written

    def _pack(self, rows: pl.DataFrame, *, last: bool) -> SignalArray:
        signals = np.zeros(len(rows), SIGNAL)
        self._leaps.add(rows["ts"].to_numpy(), rows["line"].to_numpy(), last=last)
        if len(rows):
            ts = rows["ts"].to_numpy()
            signals["ts"] = ts - ts % NS_PER_US
            signals["device"] = self.devices.index(rows["device"])
            signals["anchor"] = _places(rows["anchor"], self._anchors)
            signals["rssi_dbm"] = np.rint(rows["rssi_dbm"].to_numpy())
        return signals


def _places(names: pl.Series, among: pl.Series) -> NDArray[np.uint32]:
    """Return the place of each name in a series that holds all of them once (half the cost of `replace_strict`)."""
    places: NDArray[np.uint32] = names.cast(pl.Enum(among)).to_physical().cast(pl.UInt32).to_numpy()
    return places
