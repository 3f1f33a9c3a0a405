"""What one would write first: the strongest anchor by a causal median, then a causal majority. Slow and obvious.

It is the method of the anchor figures (see test_real.py), so that one scoring serves both; it shares no constant with
what it is compared to.
"""

from collections import Counter

import polars as pl

# How often it decides. The anchor figures do not say. This step was picked among several (with how windows end and
# ties fall) because it comes near them; over all of those, zone accuracy on the cars went from .71 to .78 and recall
# from .46 to .81.
STEP_NS = 500_000_000
WINDOW_NS = 5_000_000_000


def strongest_anchor(signals: pl.DataFrame, zone_of: dict[str, str], *, majority: bool = True) -> pl.DataFrame:
    """Return zone visits: kind, store, device, zone, entered_at, left_at."""
    rows = []
    for (store, device), heard in signals.filter(pl.col("rssi_dbm") < 20).group_by("store", "device"):
        begin, end = heard["ts"].min(), heard["ts"].max()
        assert isinstance(begin, int)
        assert isinstance(end, int)
        times = list(range(begin, end + 1, STEP_NS))
        zones = [zone_of[anchor] for anchor in strongest(heard, times)]
        if majority:
            zones = most_common(zones, WINDOW_NS // STEP_NS)
        since = 0
        for place in range(1, len(zones) + 1):
            if place == len(zones) or zones[place] != zones[since]:
                left = times[place] if place < len(zones) else end
                rows.append(("zone", store, device, zones[since], times[since], left))
                since = place
    return pl.DataFrame(rows, schema=["kind", "store", "device", "zone", "entered_at", "left_at"], orient="row")


def strongest(heard: pl.DataFrame, times: list[int]) -> list[str]:
    """Return at each time the anchor whose readings of the last five seconds have the highest median."""
    readings: dict[str, list[tuple[int, float]]] = {}
    for ts, anchor, rssi_dbm in heard.sort("ts").select("ts", "anchor", "rssi_dbm").iter_rows():
        readings.setdefault(anchor, []).append((ts, rssi_dbm))
    first = dict.fromkeys(readings, 0)
    found: list[str] = []
    for now in times:
        medians = {}
        for anchor, of_anchor in readings.items():
            while first[anchor] < len(of_anchor) and of_anchor[first[anchor]][0] <= now - WINDOW_NS:
                first[anchor] += 1
            levels = []
            for ts, rssi_dbm in of_anchor[first[anchor] :]:
                if ts > now:
                    break
                levels.append(rssi_dbm)
            if levels:
                medians[anchor] = median(levels)
        found.append(max(medians, key=lambda anchor: medians[anchor]) if medians else found[-1])
    return found


def median(levels: list[float]) -> float:
    """Return the middle one, or the mean of the middle two."""
    ordered = sorted(levels)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def most_common(zones: list[str], count: int) -> list[str]:
    """Return at each place the commonest of the last so many zones; the newest where it is as common as any."""
    found = []
    for place, newest in enumerate(zones):
        votes = Counter(zones[max(0, place - count + 1) : place + 1])
        most = max(votes.values())
        found.append(newest if votes[newest] == most else max(votes, key=lambda zone: votes[zone]))
    return found
