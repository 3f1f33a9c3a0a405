"""What labelled signals tell of each spot, told slowly: adverts, what each counts for, and the sums of both."""

from collections import Counter, defaultdict
from typing import NamedTuple


class Labelled(NamedTuple):
    """One signal of the labelled path: times in microseconds; `stay` is of one device at one spot."""

    device: int
    at: int
    anchor: int
    rssi_dbm: int
    stay: int
    spot: int | None


class Told(NamedTuple):
    """Sums by spot and anchor, and adverts by spot."""

    sent: dict[int, float]
    steps: dict[int, float]
    heard: dict[tuple[int, int], float]
    readings: dict[tuple[int, int], float]
    total: dict[tuple[int, int], float]


def adverts(signals: list[Labelled], step_us: int) -> list[list[int]]:
    """Return the rows of each advert; signals are in order of device and time."""
    found: list[list[int]] = []
    for row, signal in enumerate(signals):
        begun = signals[found[-1][0]] if found else None
        if begun is None or signal.device != begun.device or signal.at - begun.at >= step_us:
            found.append([])
        found[-1].append(row)
    return found


def weights(signals: list[Labelled], step_us: int, most: float) -> list[float]:
    """Return what each signal counts for: a stay for `most` adverts at most, and so a device at a spot."""
    begins = [rows[0] for rows in adverts(signals, step_us)]
    of_stay = Counter(signals[row].stay for row in begins)
    weight = [min(1.0, most / of_stay[signal.stay]) if of_stay[signal.stay] else 1.0 for signal in signals]
    given: defaultdict[tuple[int, int | None], float] = defaultdict(float)
    for row in begins:
        given[signals[row].device, signals[row].spot] += weight[row]
    return [
        one * min(1.0, most / max(given[signal.device, signal.spot], 1e-9))
        for one, signal in zip(weight, signals, strict=True)
    ]


def told(signals: list[Labelled], weight: list[float], offset_db: list[float], step_us: int) -> Told:
    """Return the sums; an advert is sent, and by each anchor heard, once at most, however much its signals weigh."""
    sums = Told(*(defaultdict(float) for _ in Told._fields))
    for rows in adverts(signals, step_us):
        first = signals[rows[0]]
        share = min(1.0, weight[rows[0]])
        if first.spot is not None:
            sums.sent[first.spot] += 1
            sums.steps[first.spot] += share
        known: set[int] = set()
        for row in rows:
            signal = signals[row]
            if signal.spot is None:
                continue
            key = signal.spot, signal.anchor
            sums.readings[key] += weight[row]
            sums.total[key] += weight[row] * (signal.rssi_dbm - offset_db[signal.device])
            if signal.anchor not in known:
                known.add(signal.anchor)
                sums.heard[key] += share
    return sums
