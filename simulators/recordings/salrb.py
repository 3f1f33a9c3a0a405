"""SAL-RB: a tag carried or driven past ten sniffers around a door, truth by light barrier.

Source: juliankaroliny/SAL-Autarkic-Localization-RSSI-BLE-Dataset, CC-BY-4.0, J. Karoliny, Silicon Austria Labs.
"""

import csv
from pathlib import Path
from typing import Final, Literal

import polars as pl

from core.errors import RecordingError
from core.floorplan import Anchor, FloorPlan, StorePlan, Zone
from core.limits import NS_PER_S
from simulators.recordings.converted import Converted, ns, read_table, truth_frame, understood

STORE: Final = "salrb"
START_NS: Final = 1_609_459_200 * NS_PER_S
"""2021-01-01: the data set counts from the beginning of each run; when that was it does not say."""
RUN_NS: Final = 3_600 * NS_PER_S
"""Runs take up to five minutes; each starts on a full hour, so that no run reaches into the next."""

_SIGNALS: Final = ("salrb_rssi.parquet", "salrb_walk_rssi.csv")
_ZONES: Final = {"I": "inside", "O": "outside"}


def convert_salrb(folder: Path, runs: Literal["walk", "car"] = "walk") -> Converted:
    """Convert the walks or the car runs.

    Each run is a device of its own; anchors keep their labels (I-* stand inside, O-* outside).

    Parameters
    ----------
    folder : Path
        Holds salrb_rssi.parquet (or salrb_walk_rssi.csv, which has the walks), salrb_visits_truth.csv and
        salrb_receivers.txt.
    runs : {"walk", "car"}

    Raises
    ------
    RecordingError
        If a file is missing or of another form.
    """
    with understood(folder):
        return _converted(folder, runs)


def _converted(folder: Path, runs: str) -> Converted:
    found = [folder / name for name in _SIGNALS if (folder / name).is_file()]
    if not found:
        raise RecordingError(
            f"There is neither {_SIGNALS[0]} nor {_SIGNALS[1]}.",
            hint="Give the folder into which the data set was unpacked.",
            where=str(folder),
        )
    wanted = pl.col("run").str.starts_with(runs)
    heard = read_table(found[0], ("run", "t", "receiver", "rssi")).filter(wanted)
    stays = read_table(folder / "salrb_visits_truth.csv", ("run", "zone", "start", "end")).filter(wanted)
    order = heard["run"].unique().sort()
    if order.is_empty():
        raise RecordingError(
            f"There is no {runs} run.",
            hint="Try with --cars." if runs == "walk" else "Try without --cars.",
            where=str(found[0]),
        )
    begin = pl.col("run").replace_strict(order, range(len(order)), return_dtype=pl.Int64) * RUN_NS + START_NS
    signals = heard.sort(begin, maintain_order=True).select(
        (begin + ns(pl.col("t"))).alias("ts"),
        pl.lit(STORE).alias("store"),
        pl.col("receiver").alias("anchor"),
        pl.col("run").alias("device"),
        pl.col("rssi").cast(pl.Float64).alias("rssi_dbm"),
    )
    true = stays.select(
        pl.col("run").alias("device"),
        "zone",
        (begin + ns(pl.col("start"))).alias("entered_at"),
        (begin + ns(pl.col("end"))).alias("left_at"),
    )
    return Converted(signals, _plan(folder / "salrb_receivers.txt"), truth_frame(true, STORE))


def _plan(path: Path) -> FloorPlan:
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        rows = list(csv.DictReader(lines))
        anchors = tuple(
            Anchor(id=row["Label"], zone=_ZONES[row["Label"][0]], x=float(row["X"]), y=float(row["Y"]))
            for row in rows
        )
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise RecordingError(
            "The receivers cannot be read.", hint="Expected are lines of Label,Description,X,Y,Z.", where=str(path)
        ) from error
    zones = (Zone(id="inside", kind="department"), Zone(id="outside", kind="entrance"))
    store = StorePlan(
        id=STORE, timezone="Europe/Vienna", zones=zones, anchors=anchors, adjacent=(("inside", "outside"),)
    )
    return FloorPlan(stores=(store,))
