"""TETAM: a tag carried along nine tracks past twelve receivers, its place known for every packet.

Source: philotuxo/Position-Annotated-BLE-RSSI-Dataset, CC0. Zones are not part of it; they are made here: four groups
of three receivers (by the first digit of a receiver's alias), or each receiver for itself. The true zone is that of
the receiver nearest to the tag.
"""

from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl

from core.floorplan import Anchor, FloorPlan, StorePlan, Zone
from simulators.recordings.converted import Converted, ns, read_table, truth_frame, understood

STORE: Final = "tetam"
_DIGIT: Final = len("sensor")  # sensor10..sensor12 form the first group


def convert_tetam(folder: Path, zones: Literal["groups", "receivers"] = "groups") -> Converted:
    """Convert all tracks.

    Each track is a device of its own. Readings stay in the order in which each track has them, impossible values and
    disordered times included; tracks follow each other by time.

    Parameters
    ----------
    folder : Path
        Holds tetam_tracks.csv and tetam_receivers.csv.
    zones : {"groups", "receivers"}
        Four zones or twelve.

    Raises
    ------
    RecordingError
        If a file is missing or of another form.
    """
    with understood(folder):
        return _converted(folder, zones)


def _converted(folder: Path, zones: str) -> Converted:
    tracks = read_table(folder / "tetam_tracks.csv", ("track", "t", "rx", "rssi", "x", "y"))
    receivers = read_table(folder / "tetam_receivers.csv", ("rx", "alias", "x", "y"))
    zone_of = {
        alias: f"zone{alias[_DIGIT]}" if zones == "groups" else alias for alias in receivers["alias"].to_list()
    }
    nearest = _nearest(tracks, receivers)
    heard = tracks.select(
        "track",
        ns(pl.col("t")).alias("ts"),
        pl.lit(STORE).alias("store"),
        pl.col("rx").replace_strict(receivers["rx"], receivers["alias"], default=pl.col("rx")).alias("anchor"),
        pl.col("track").alias("device"),
        pl.col("rssi").cast(pl.Float64).alias("rssi_dbm"),
        nearest.replace_strict(zone_of).alias("zone"),
    ).sort(pl.col("ts").min().over("track"), maintain_order=True)
    signals = heard.select("ts", "store", "anchor", "device", "rssi_dbm")
    return Converted(signals, _plan(receivers, zone_of), truth_frame(_stays(heard), STORE))


def _nearest(tracks: pl.DataFrame, receivers: pl.DataFrame) -> pl.Series:
    """Alias of the receiver nearest to each packet's place."""
    there = tracks.select("x", "y").to_numpy()
    stand = receivers.select("x", "y").to_numpy()
    distance = np.square(there[:, None, :] - stand[None, :, :]).sum(axis=2)
    return receivers["alias"].gather(distance.argmin(axis=1))


def _stays(heard: pl.DataFrame) -> pl.DataFrame:
    """Return runs of equal zone: from the first packet there to the first one elsewhere, or to the last one."""
    ordered = heard.sort("device", "ts", maintain_order=True)
    run = (pl.struct("device", "zone") != pl.struct("device", "zone").shift(1)).fill_null(value=True).cum_sum()
    stays = (
        ordered.with_columns(run.alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("device", "zone").first(),
            pl.col("ts").first().alias("entered_at"),
            pl.col("ts").last().alias("last_at"),
        )
    )
    following = pl.col("entered_at").shift(-1).over("device")
    return stays.select("device", "zone", "entered_at", pl.coalesce(following, pl.col("last_at")).alias("left_at"))


def _plan(receivers: pl.DataFrame, zone_of: dict[str, str]) -> FloorPlan:
    anchors = tuple(
        Anchor(id=alias, zone=zone_of[alias], x=x, y=y) for alias, x, y in receivers.select("alias", "x", "y").rows()
    )
    zones = tuple(Zone(id=name) for name in dict.fromkeys(zone_of.values()))
    return FloorPlan(stores=(StorePlan(id=STORE, timezone="Europe/Istanbul", zones=zones, anchors=anchors),))
