"""Stops of moving things: movingpandas, trackintel, scikit-mobility, fed the strongest anchor of 5 s as a point."""

from typing import Any, Final

from benchmarks.peers.frames import PANDAS, pandas_buckets
from benchmarks.peers.job import Columns, Peer

_CELL_M: Final = 8.0
_ZONES: Final = 12
_SIDE: Final = 4
_DEGREE_M: Final = 111_320.0
_NEAR_M: Final = 4.0  # half a cell: points of two zones are never one stop


def _points(columns: Columns) -> Any:
    """Return the columns as a pandas frame; stores lie side by side, devices are in one each."""
    return PANDAS.prepare(columns)


def _placed(frame: Any) -> Any:
    """Return one row a device and 5 s: where the strongest anchor hangs (metres), when."""
    import pandas as pd

    buckets = pandas_buckets(frame)
    zone = buckets["zone"] % _ZONES
    return buckets.assign(
        x=_CELL_M * (zone % _SIDE + 0.5), y=_CELL_M * (zone // _SIDE + 0.5), t=pd.to_datetime(buckets["first"])
    )


def _movingpandas(frame: Any) -> int:
    import movingpandas as mpd

    placed = _placed(frame)
    walks = mpd.TrajectoryCollection(
        placed[["device", "t", "x", "y"]], traj_id_col="device", t="t", x="x", y="y", crs="EPSG:32632"
    )
    from datetime import timedelta

    stops = mpd.TrajectoryStopDetector(walks).get_stop_time_ranges(
        min_duration=timedelta(seconds=5), max_diameter=_NEAR_M
    )
    return len(stops)


def _trackintel(frame: Any) -> int:
    import geopandas as gpd
    import trackintel as ti

    placed = _placed(frame)
    fixes = gpd.GeoDataFrame(
        {"user_id": placed["device"], "tracked_at": placed["t"].dt.tz_localize("UTC")},
        geometry=gpd.points_from_xy(placed["x"] / _DEGREE_M, placed["y"] / _DEGREE_M),
        crs="EPSG:4326",
    )
    fixes = ti.Positionfixes(fixes)
    _, stays = fixes.generate_staypoints(
        method="sliding", dist_threshold=_NEAR_M, time_threshold=5 / 60, gap_threshold=1.0, include_last=True
    )
    return len(stays)


def _skmob(frame: Any) -> int:
    import skmob
    from skmob.preprocessing import detection

    placed = _placed(frame)
    walks = skmob.TrajDataFrame(
        placed.assign(
            lat=placed["y"] / _DEGREE_M, lng=placed["x"] / _DEGREE_M, datetime=placed["t"], uid=placed["device"]
        )
    )
    return len(detection.stay_locations(walks, minutes_for_a_stop=5 / 60, spatial_radius_km=_NEAR_M / 1000))


def _skmob_fits_nothing() -> str | None:
    return (
        "not in requirements/bench.lock: 1.3.1 asks for pandas < 2 and geopandas < 0.11, 1.2.2 does not import with"
        " shapely 2"
    )


_JOB: Final = "strongest anchor of 5 s as a point (pandas), then"
MOVINGPANDAS = Peer(
    "movingpandas", f"{_JOB} TrajectoryStopDetector", ("movingpandas",), _points, _movingpandas, 20_000, 200_000
)
TRACKINTEL = Peer(
    "trackintel", f"{_JOB} generate_staypoints, sliding", ("trackintel",), _points, _trackintel, 20_000, 200_000
)
SCIKIT_MOBILITY = Peer(
    "scikit-mobility",
    f"{_JOB} stay_locations",
    ("skmob",),
    _points,
    _skmob,
    20_000,
    200_000,
    lacks=_skmob_fits_nothing,
)
