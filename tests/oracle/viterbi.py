"""Offline Viterbi over zones, written to be obviously right: full back pointers, no stream, no trees.

Imports nothing of the product. A. Viterbi, IEEE Trans. Inf. Theory 13 (1967), 260.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

QUANTA = 64  # per nat
AT_ONCE = 16  # signals of one advertisement after which scores are brought back into 16 bits
FLOOR = -16_384  # quanta below the best that a score is kept at then
SILENCE_FLOOR = -8_192  # quanta
STEP_US = 100_000


class Heard(NamedTuple):
    """One signal of one device."""

    at_us: int
    anchor: int
    rssi_dbm: int


@dataclass(frozen=True)
class World:
    """What readings say: levels and detection by [spot][anchor], the spread, the zones that can be decoded."""

    zone_of: list[int]  # of each spot

    level_dbm: list[list[float]]
    detection: list[list[float]]
    spread_db: float
    decodable: list[bool]
    weight: float = 0.6
    stay_mean_s: float = 3_000.0
    silences: dict[int, int] = field(default_factory=dict)

    @cached_property
    def spots(self) -> list[int]:
        return [spot for spot, zone in enumerate(self.zone_of) if self.decodable[zone]]

    @cached_property
    def quietest(self) -> int:
        """Quanta for no anchor hearing an advertisement from the spot of which that is likeliest."""
        return max(map(self.missed, self.spots))

    def level(self, zone: int, anchor: int, rssi_dbm: int) -> int:
        """Quanta for hearing an anchor at a level."""
        shown = min(max(rssi_dbm, -115), -16)
        away = (shown - self.level_dbm[zone][anchor]) / self.spread_db
        chance = self.detection[zone][anchor]
        return round(QUANTA * (-min(away**2 / 2, 8.0) + self.weight * (math.log(chance) - math.log1p(-chance))))

    def missed(self, zone: int) -> int:
        """Quanta for no anchor hearing an advertisement."""
        return sum(round(QUANTA * self.weight * math.log1p(-chance)) for chance in self.detection[zone])

    def silence(self, zone: int) -> int:
        """Quanta of an advertisement before anything is heard of it, the quietest spot at 0."""
        if zone not in self.silences:  # each is a sum over all anchors: a large store's is not to be made every step
            self.silences[zone] = max(self.missed(zone) - self.quietest, SILENCE_FLOOR)
        return self.silences[zone]

    def entered(self, zone: int, anchor: int) -> int:
        """Quanta for an app's word that it entered a beacon's region: heard at some level, no word of others."""
        return round(QUANTA * self.weight * math.log(self.detection[zone][anchor])) - self.silence(zone)

    def left(self, zone: int, anchor: int) -> int:
        """Quanta for an app's word that it left a beacon's region."""
        return round(QUANTA * self.weight * math.log1p(-self.detection[zone][anchor]))

    def penalty(self, gap_us: int) -> int:
        """Quanta that leaving a zone costs after a gap; gaps count in bins of 2**17 microseconds."""
        bins = min(gap_us // 131_072, 8191)
        gap_s = (bins + 0.5) * 131_072 / 1e6
        zones = max(sum(self.decodable), 2)
        return round(QUANTA * math.log(zones / min(gap_s / self.stay_mean_s, 0.9)))


def steps_of(signals: list[Heard]) -> list[list[Heard]]:
    """Cut signals into advertisements: those within 100 ms of the first belong together."""
    steps: list[list[Heard]] = []
    for signal in signals:
        if steps and signal.at_us - steps[-1][0].at_us < STEP_US:
            steps[-1].append(signal)
        else:
            steps.append([signal])
    return steps


def leader(scores: dict[int, int], before: int) -> int:
    """The best zone; among equals the one that led before, then the lowest."""
    most = max(scores.values())
    if scores.get(before) == most:
        return before
    return min(zone for zone, score in scores.items() if score == most)


def kept_in_bounds(scores: dict[int, int]) -> dict[int, int]:
    """The best at 0, nobody below the floor."""
    top = max(scores.values())
    return {zone: max(score - top, FLOOR) for zone, score in scores.items()}


def best_path(signals: list[Heard], world: World) -> list[int]:
    """Return the spot of each advertisement of one store visit on the best path."""
    steps = steps_of(signals)
    came_from: list[dict[int, int]] = []
    scores: dict[int, int] = {}
    lead = world.spots[0]
    for number, step in enumerate(steps):
        if number == 0:
            scores = dict.fromkeys(world.spots, 0)
        else:
            lead = leader(scores, lead)
            cost = world.penalty(step[0].at_us - steps[number - 1][-1].at_us)
            moved = scores[lead] - cost
            came_from.append({zone: zone if score >= moved else lead for zone, score in scores.items()})
            scores = {zone: max(score, moved) for zone, score in scores.items()}
        for zone in scores:
            scores[zone] += world.silence(zone)
        for count, signal in enumerate(step, 1):
            for zone in scores:
                scores[zone] += world.level(zone, signal.anchor, signal.rssi_dbm)
            if count % AT_ONCE == 0:
                scores = kept_in_bounds(scores)
    path = [leader(scores, lead)]
    for before in reversed(came_from):
        path.append(before[path[-1]])
    return path[::-1]


def stays_on(path: list[int], signals: list[Heard], world: World) -> list[tuple[int, int, int, int]]:
    """Return (zone, entered, left, signals) of each stay: from its first signal to its last."""
    stays: list[tuple[int, int, int, int]] = []
    for spot, step in zip(path, steps_of(signals), strict=True):
        zone = world.zone_of[spot]
        if stays and stays[-1][0] == zone:
            _, entered, _, count = stays.pop()
            stays.append((zone, entered, step[-1].at_us, count + len(step)))
        else:
            stays.append((zone, step[0].at_us, step[-1].at_us, len(step)))
    return stays
