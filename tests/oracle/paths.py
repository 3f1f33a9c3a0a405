"""The streaming decoder as it could be told to a child: every lane carries the whole list of its stays.

Slow and obvious: a stay is decided when it stands at the same place in every lane's list. Imports nothing of the
product.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.oracle.viterbi import AT_ONCE, STEP_US, Heard, World, kept_in_bounds, leader

BEFORE = -(10**18)  # an entry that has been possible since before the arrival
ENTER, EXIT = 125, 126  # levels that are no levels but the words of apps


class Rules(NamedTuple):
    """The settings, in microseconds."""

    silence_us: int = 60_000_000
    silence_max_us: int = 900_000_000
    silence_gaps: int = 14
    stay_min_us: int = 5_000_000
    undecided_us: int = 300_000_000
    gap_mean_us: int = 4_000_000
    visit_max_us: int = 24 * 3600 * 1_000_000
    forget_us: int = 36 * 3600 * 1_000_000
    doubt: int = 640
    app_late_us: int = 30_000_000


class Row(NamedTuple):
    """A visit or stay as it is reported; times in microseconds."""

    kind: str
    zone: int
    entered: int
    left: int
    entered_earliest: int
    entered_latest: int
    left_earliest: int
    left_latest: int
    signals: int
    sure: int
    closed_by: str
    forced: bool
    next_zone: int = -1  # zone of the stay that follows
    arrived_from: int = 0  # earliest arrival, by what was known of the gaps when this was written


@dataclass(eq=False)
class Stay:
    """A stay of some lane; its entry lies between `early` and `late`, the signal before it at `left`."""

    zone: int
    start: int
    left: int
    early: int
    late: int
    mark: int
    sure: int
    decided: bool = False


@dataclass
class Lane:
    """A zone's best path: its stays, the running one last; since when entering it has been possible."""

    score: int
    near: int
    stays: list[Stay] = field(default_factory=list)


class Device:
    """One device of one store."""

    def __init__(self, world: World, rules: Rules) -> None:
        self.world = world
        self.rules = rules
        self.lanes: dict[int, Lane] = {}
        self.rows: list[Row] = []
        self.last_at = -(10**18)
        self.gap_mean = 0
        self.gap_steps = 0
        self.gap_wide = 0
        self.residual_sum = self.residual_count = self.offset_db = 0
        self.residual_due = 16
        self.firm = self.inside = self.exited = False
        self.timeout = 0
        self.best = self.arrived_at = self.check_at = self.step_at = 0
        self.heard = self.sure = self.step_signals = 0
        self.clear_at = self.left_at = self.held = self.lead = 0
        self.gains: list[int] = []  # of the leading zone by every advertisement since `clear_at`

    def hear(self, signal: Heard) -> None:
        """Take one signal; they come in order of time."""
        now = signal.at_us
        if signal.rssi_dbm == EXIT:
            self._exit(signal)
            return
        if self.lanes and now - self.step_at < STEP_US:
            pass
        else:
            gap = now - self.last_at
            once = 0 < self.heard == self.step_signals  # the last store visit was one advertisement
            if self.lanes and gap > self.timeout:
                self.close("app_exit" if self.exited else "silence")
            if self.lanes and now - self.arrived_at >= self.rules.visit_max_us:
                self.close("store_closed")
            if self.lanes:
                self._advance(now, gap)
            else:
                self._arrive(now, gap, once)
            self.step_at = now
        self.last_at = now
        self.heard += 1
        self.step_signals += 1
        self.exited = False
        if signal.rssi_dbm == ENTER:
            self.inside = True
            self.timeout = self.rules.silence_max_us
            for spot, lane in self.lanes.items():
                lane.score += self.world.entered(spot, signal.anchor)
        else:
            if self.firm:
                self._learn_offset(signal)
            for spot, lane in self.lanes.items():
                lane.score += self.world.level(spot, signal.anchor, signal.rssi_dbm - self.offset_db)
        if self.step_signals % AT_ONCE == 0 or signal.rssi_dbm == ENTER:
            self._bound()

    def _exit(self, signal: Heard) -> None:
        if not self.lanes or signal.at_us - self.last_at > self.timeout:
            return
        self.last_at = max(self.last_at, signal.at_us - self.rules.app_late_us)
        self.inside, self.exited = False, True
        self.timeout = self.rules.silence_us
        for spot, lane in self.lanes.items():
            lane.score += self.world.left(spot, signal.anchor)
        self._bound()

    def _bound(self) -> None:
        bounded = kept_in_bounds({spot: lane.score for spot, lane in self.lanes.items()})
        for spot, lane in self.lanes.items():
            lane.score = bounded[spot]

    def close(self, closed_by: str) -> None:
        """End the store visit at its last signal."""
        if not self.lanes:
            return
        self._note_leader()
        after = max(self._reach(), self.rules.app_late_us if self.exited else 0)
        chosen = self.lanes[self.best]
        for stay, following in zip(chosen.stays, chosen.stays[1:], strict=False):
            self._report(stay, following, forced=False)
        last = chosen.stays[-1]
        self.rows.append(
            Row(
                "zone",
                last.zone,
                last.start,
                self.last_at,
                last.early,
                last.late,
                self.clear_at,
                self.last_at + after,
                self.heard - last.mark,
                self.sure - last.sure,
                closed_by,
                False,
                arrived_from=self._arrived_from(),
            )
        )
        self.rows.append(
            Row(
                "store",
                -1,
                self.arrived_at,
                self.last_at,
                BEFORE,
                self.arrived_at,
                self.last_at,
                self.last_at + after,
                self.heard,
                self.sure,
                closed_by,
                False,
                arrived_from=self._arrived_from(),
            )
        )
        self.lanes = {}

    def _arrive(self, now: int, gap: int, once: bool) -> None:
        self.inside = self.exited = False
        if once and gap <= self.rules.silence_max_us:
            self._learn_gap(gap)
        if gap > self.rules.forget_us:
            self.gap_mean = self.rules.gap_mean_us
            self.gap_steps = 0
            self.gap_wide = 0
            self.residual_sum = self.residual_count = self.offset_db = 0
            self.residual_due = 16
        self._set_timeout()
        self.arrived_at = now
        self.lanes = {
            zone: Lane(self.world.silence(zone), BEFORE, [Stay(zone, now, now, BEFORE, now, 0, 0)])
            for zone in self.world.spots
        }
        self.best = 0
        self.firm = False
        self.check_at = now + self.rules.undecided_us
        self.heard = self.sure = self.step_signals = 0
        self.clear_at = self.left_at = now
        self.held = 0
        self.gains = []

    def _note_leader(self) -> None:
        """Who leads after the advertisement that has just ended, how surely, and whether it led all along."""
        zone_of = self.world.zone_of
        led = zone_of[self.best]
        self.best = leader({zone: lane.score for zone, lane in self.lanes.items()}, self.best)
        if zone_of[self.best] != led:
            self.gains = []
            self.held = 0
        others = [lane.score for spot, lane in self.lanes.items() if zone_of[spot] != zone_of[self.best]]
        lead = 10**9 if not others else self.lanes[self.best].score - max(others)
        self.lead = lead
        self.gains.append(lead - self.held)
        if sum(self.gains) > self.rules.doubt:
            alone = self.gains[-1] > self.rules.doubt
            self.clear_at = self.last_at if alone else self.left_at
            self.gains = [] if alone else self.gains[-1:]
        eighths = min(lead // 8, 63)
        self.firm = eighths >= 16
        self.sure += round(64 / (1 + math.exp(-(eighths + 0.5) / 8 / 3))) * self.step_signals
        self.step_signals = 0

    def _advance(self, now: int, gap: int) -> None:
        self._note_leader()
        chosen = self.lanes[self.best]
        top = chosen.score
        path = list(chosen.stays)
        cost = self.world.penalty(gap)
        self.held = min(self.lead, cost)  # nobody is further behind after this step
        self.left_at = self.last_at
        heard_at = self._whole_ms(self.last_at)
        for zone, lane in self.lanes.items():
            margin = lane.score - (top - cost)
            running = lane.stays[-1]
            if margin < -self.rules.doubt:
                lane.near = heard_at
            if margin < 0:
                lane.stays = [*path, Stay(zone, now, self.last_at, lane.near, now, self.heard, self.sure)]
            elif margin < self.rules.doubt and zone != self.best and not running.decided:
                running.late = now
            lane.score = max(margin, 0) - cost + self.world.silence(zone)
        self._decide(forced=False)
        if now >= self.check_at:
            self.check_at = now + self.rules.undecided_us // 4
            if len(chosen.stays) > 1:
                ended = chosen.stays[1].left
                if ended < self.last_at and now - ended > self.rules.undecided_us:
                    self._force(chosen, now, cost)
        self._learn_gap(gap)
        self._move_offset()

    def _decide(self, *, forced: bool) -> None:
        lists = [lane.stays for lane in self.lanes.values()]
        common = 0
        while all(len(stays) > common and stays[common] is lists[0][common] for stays in lists):
            lists[0][common].decided = True
            common += 1
        for number in range(common - 1):
            self._report(lists[0][number], lists[0][number + 1], forced=forced)
        if common > 1:
            for lane in self.lanes.values():
                lane.stays = lane.stays[common - 1 :]

    def _force(self, chosen: Lane, now: int, cost: int) -> None:
        for zone, lane in self.lanes.items():
            if lane is not chosen and chosen.stays[-1] not in lane.stays:
                lane.near = self._whole_ms(self.last_at)
                lane.stays = [*chosen.stays, Stay(zone, now, self.last_at, lane.near, now, self.heard, self.sure)]
                lane.score = self.world.silence(zone) - cost
        self.held = cost
        self._decide(forced=True)

    def _report(self, stay: Stay, following: Stay, *, forced: bool) -> None:
        left = following.left
        self.rows.append(
            Row(
                "zone",
                stay.zone,
                stay.start,
                left,
                stay.early,
                stay.late,
                max(min(left, following.early), self.arrived_at),
                following.late,
                following.mark - stay.mark,
                following.sure - stay.sure,
                "moved_on",
                forced,
                self.world.zone_of[following.zone],
                self._arrived_from(),
            )
        )

    def _learn_offset(self, signal: Heard) -> None:
        """The device's mean residual against its leading spot, in eighths of a dB."""
        expected = round(8 * self.world.level_dbm[self.best][signal.anchor])
        self.residual_sum += min(max(8 * signal.rssi_dbm - expected, -160), 160)
        self.residual_count += 1

    def _move_offset(self) -> None:
        if self.residual_count >= self.residual_due:
            share = 8 * (self.residual_count + 32)
            self.offset_db = min(max((self.residual_sum + share // 2) // share, -20), 20)
            if self.residual_count >= 1024:
                self.residual_sum //= 2
                self.residual_count //= 2
            self.residual_due = self.residual_count + 16

    def _learn_gap(self, gap: int) -> None:
        shift = 1 if self.gap_steps < 2 else 2 if self.gap_steps < 6 else 3 if self.gap_steps < 14 else 4
        self.gap_mean += (gap - self.gap_mean) // 2**shift
        self.gap_steps = min(self.gap_steps + 1, 14)
        self.gap_wide += max(gap - self.gap_wide, 0) - gap // 20
        self._set_timeout()

    def _set_timeout(self) -> None:
        wanted = self.rules.silence_gaps * self.gap_mean
        least = self.rules.silence_max_us if self.inside else self.rules.silence_us
        self.timeout = min(max(wanted, least), self.rules.silence_max_us)

    def _reach(self) -> int:
        """How long before its first signal, or after its last, it may have come or gone."""
        return max(3 * self.gap_mean, self.gap_wide)

    def _arrived_from(self) -> int:
        return self.arrived_at - 1000 * -(-self._reach() // 1000)

    def _whole_ms(self, at: int) -> int:
        """A time rounded down to whole milliseconds since the arrival."""
        return at - (at - self.arrived_at) % 1000


def merged(rows: list[Row], world: World) -> list[Row]:
    """Stays at spots become zone visits: a stay that moved on to another spot of its zone goes on there.

    What may have begun before the arrival did so at the earliest as the gaps tell when it is written, and never later
    than what the store visit's zone visits told before it.
    """
    visits: list[Row] = []
    begun: Row | None = None
    told = -BEFORE
    for row in rows:
        if row.kind == "store":
            visits.append(row._replace(entered_earliest=min(told, row.arrived_from)))
            told = -BEFORE
            continue
        here = row._replace(zone=world.zone_of[row.zone])
        if begun is not None:
            here = here._replace(
                entered=begun.entered,
                entered_earliest=begun.entered_earliest,
                entered_latest=begun.entered_latest,
                signals=begun.signals + here.signals,
                sure=begun.sure + here.sure,
            )
        begun = here if row.closed_by == "moved_on" and row.next_zone == here.zone else None
        if begun is None:
            if here.entered_earliest == BEFORE:
                told = min(told, row.arrived_from)
                here = here._replace(entered_earliest=told)
            visits.append(here)
    return visits


def visits_of(signals: list[Heard], world: World, rules: Rules, store_newest_us: int) -> list[Row]:
    """Return the visits of one device at the end of a recording: those of at least the least stay, by entry.

    `store_newest_us` is the newest signal of any device: it may show that this one had left before the end.
    """
    device = Device(world, rules)
    # at one time readings come first, then words of entering, then those of leaving
    for signal in sorted(set(signals), key=lambda signal: (signal.at_us, signal.rssi_dbm, signal.anchor)):
        device.hear(signal)
    if device.lanes:
        gone = "app_exit" if device.exited else "silence"
        device.close(gone if store_newest_us - device.last_at >= device.timeout else "end_of_recording")
    long_enough = [row for row in merged(device.rows, world) if row.left - row.entered >= rules.stay_min_us]
    long_enough = [row._replace(next_zone=-1, arrived_from=0) for row in long_enough]
    # nobody leaves before the earliest entry, or enters after the latest exit
    long_enough = [
        row._replace(
            left_earliest=max(row.left_earliest, row.entered_earliest),
            entered_latest=min(row.entered_latest, row.left_latest),
        )
        for row in long_enough
    ]
    return sorted(long_enough, key=lambda row: (row.entered, row.kind == "store", row.zone))
