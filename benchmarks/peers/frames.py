"""Gap sessions with data frames: polars and pandas."""

from typing import Any

from benchmarks.peers.job import BUCKET_NS, SESSION_NS, SILENCE_BUCKETS, ZONE_BITS, Columns, Peer


def _polars_frame(columns: Columns) -> Any:
    import polars as pl

    return pl.DataFrame(
        {"ts": columns.ts, "device": columns.device, "zone": columns.zone, "rssi_dbm": columns.rssi_dbm}
    )


def _polars(frame: Any) -> int:
    import polars as pl

    loud = (pl.col("rssi_dbm").cast(pl.Int32) + 128) * (1 << ZONE_BITS) + pl.col("zone")
    changed = (
        (pl.col("device") != pl.col("device").shift())
        | (pl.col("zone") != pl.col("zone").shift())
        | (pl.col("bucket") - pl.col("bucket").shift() > SILENCE_BUCKETS)
    )
    sessions = (
        frame.lazy()
        .group_by("device", (pl.col("ts") // BUCKET_NS).alias("bucket"))
        .agg(loud.max().alias("loud"), pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last"))
        .with_columns((pl.col("loud") % (1 << ZONE_BITS)).alias("zone"))
        .sort("device", "bucket")
        .with_columns(changed.fill_null(value=True).cum_sum().alias("session"))
        .group_by("session")
        .agg(pl.col("device").first(), pl.col("zone").first(), pl.col("first").min(), pl.col("last").max())
        .filter(pl.col("last") - pl.col("first") >= SESSION_NS)
        .collect()
    )
    return len(sessions)


def _pandas_frame(columns: Columns) -> Any:
    import pandas as pd

    return pd.DataFrame(
        {"ts": columns.ts, "device": columns.device, "zone": columns.zone, "rssi_dbm": columns.rssi_dbm}
    )


def pandas_buckets(frame: Any) -> Any:
    """Return device, bucket, zone, first and last (ns) of five seconds each, in order; pandas."""
    rows = frame.assign(
        bucket=frame["ts"] // BUCKET_NS,
        loud=(frame["rssi_dbm"].astype("int32") + 128) * (1 << ZONE_BITS) + frame["zone"],
    )
    grouped = rows.groupby(["device", "bucket"], sort=True, as_index=False)
    buckets = grouped.agg(loud=("loud", "max"), first=("ts", "min"), last=("ts", "max"))
    return buckets.assign(zone=buckets["loud"] % (1 << ZONE_BITS))


def _pandas(frame: Any) -> int:
    buckets = pandas_buckets(frame)
    changed = (
        (buckets["device"] != buckets["device"].shift())
        | (buckets["zone"] != buckets["zone"].shift())
        | (buckets["bucket"].diff() > SILENCE_BUCKETS)
    )
    sessions = buckets.groupby(changed.cumsum()).agg(
        device=("device", "first"), zone=("zone", "first"), first=("first", "min"), last=("last", "max")
    )
    return int((sessions["last"] - sessions["first"] >= SESSION_NS).sum())


POLARS = Peer(
    "polars",
    "gap sessions, strongest anchor of 5 s; lazy frame",
    ("polars",),
    _polars_frame,
    _polars,
    5_000_000,
    20_000_000,
)
PANDAS = Peer(
    "pandas", "gap sessions, strongest anchor of 5 s", ("pandas",), _pandas_frame, _pandas, 1_000_000, 20_000_000
)
