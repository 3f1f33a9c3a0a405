"""What is wrong with edges and anchors, by rules with a reason for each number: pure.

Each rule has two bounds: at the first it is raised, at the second, which is safer, it is over. What lies between is
as it was, so that a figure at its bound does not flicker.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

AlarmWord: TypeAlias = Literal[
    "edge_gone", "edge_silent", "clock_skew", "backlog_growing", "signals_dropped", "certificate_ends", "battery_low",
    "anchor_down", "anchor_deaf", "coverage_low",
]  # fmt: skip

AlarmKey: TypeAlias = tuple[AlarmWord, str, str]
"""What is wrong, with which edge, with which anchor: what one alarm is about."""

SILENT_S: Final = 45.0
"""A status is due every 10 s: four are missing, and the broker's keepalive (22 s) has not told a last will either."""
SKEW_S: Final = 5.0
"""NTP holds a second, and a status is on its way for another; from 5 s on, devices seem to be at two anchors in the
wrong order (half a usual walk between zones). At 120 s ahead ingest refuses the signals."""
SKEW_OVER_S: Final = 2.0
"""What the fleet page calls right."""
GROWING_S: Final = 60.0
"""A restart of ingest or broker makes a backlog for some seconds; a minute of growth beyond what is on its way in any
case (`core.limits.BATCHES_UNDERWAY`) is no restart."""
BATTERY_PERCENT: Final = 20
"""A coin cell's voltage falls late: what is left at 20 % is weeks of a beacon that lives two years."""
BATTERY_OVER_PERCENT: Final = 30
"""A cell that gets warm reads some per cent more; only a new one reads a third of a charge more."""
CERTIFICATE_DAYS: Final = 30
"""A month before its end there is time for a request to travel to whoever signs; its log says so from then on."""
COVERAGE_SHARE: Final = 0.9
"""Below 90 % of anchors the store's coverage page shows an hour as poor."""
COVERAGE_OVER_SHARE: Final = 0.95
"""Half of what was missing is back."""
HELD_S: Final[Mapping[AlarmWord, float]] = {
    "edge_gone": 60, "edge_silent": 30, "clock_skew": 30, "backlog_growing": 30, "signals_dropped": 0,
    "certificate_ends": 0, "battery_low": 60, "anchor_down": 120, "anchor_deaf": 120, "coverage_low": 120,
}  # fmt: skip
"""How long it has to be so before anybody is told, and over before it is said to be over. An edge that restarts is
back within a minute, and its anchors are up within another. Statuses come every ten seconds: 30 s are three in a row,
and after a restart of ingest every edge has spoken by then. What was dropped is lost: that is told at
once, as is the end of a certificate, whose date does not flicker."""


class EdgeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An edge as it was told of last; None where nothing was said."""

    edge: str
    state: str | None
    status_age_s: float | None
    skew_s: float | None
    backlog: int
    growing_s: float | None
    dropped: int
    certificate_days: float | None = None


class AnchorFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An anchor: what is wrong by its edge (`down`) or by the signals (`deaf`), and its battery."""

    anchor: str
    fault: str | None
    battery_percent: int | None


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody has to look at: which edge or anchor (empty: the store), what, and what to do."""

    alarm: AlarmWord
    edge: str
    anchor: str
    says: str
    hint: str

    @property
    def key(self) -> AlarmKey:
        """What it is about."""
        return (self.alarm, self.edge, self.anchor)


def alarms(
    edges: Sequence[EdgeFigures], anchors: Sequence[AnchorFigures], standing: Collection[AlarmKey] = ()
) -> list[Alarm]:
    """Return what is wrong in a store, edges first.

    Parameters
    ----------
    edges, anchors : sequence
    standing : collection of AlarmKey
        What is known to be wrong: it is over only at its second bound.
    """
    found = [alarm for edge in edges for alarm in _of_edge(edge, standing)]
    found += [alarm for anchor in anchors for alarm in _of_anchor(anchor, standing)]
    faulty = sum(anchor.fault is not None for anchor in anchors)
    least = COVERAGE_OVER_SHARE if ("coverage_low", "", "") in standing else COVERAGE_SHARE
    if anchors and faulty and 1 - faulty / len(anchors) < least:
        says = f"{len(anchors) - faulty} of {len(anchors)} anchors work."
        found.append(_alarm("coverage_low", "", "", says, "Look at what its anchors have in common: power, network."))
    return found


def _of_edge(edge: EdgeFigures, standing: Collection[AlarmKey]) -> list[Alarm]:
    found = []
    most_skew_s = SKEW_OVER_S if ("clock_skew", edge.edge, "") in standing else SKEW_S
    if edge.state == "offline":
        says = "The broker lost it without a goodbye."
        found.append(_alarm("edge_gone", edge.edge, "", says, "Look at its power and network; it delivers later."))
    elif edge.state == "online" and edge.status_age_s is not None and edge.status_age_s > SILENT_S:
        says = f"It said nothing for {edge.status_age_s:.0f} s."
        found.append(_alarm("edge_silent", edge.edge, "", says, "Look whether ingest runs, then at the edge."))
    if edge.skew_s is not None and abs(edge.skew_s) > most_skew_s and edge.state == "online":
        says = f"Its clock is {abs(edge.skew_s):.0f} s {'ahead' if edge.skew_s > 0 else 'behind'}."
        found.append(_alarm("clock_skew", edge.edge, "", says, "Run NTP there."))
    if edge.growing_s is not None and edge.growing_s >= GROWING_S:
        says = f"Its backlog grows since {edge.growing_s / 60:.0f} min: {edge.backlog} batches are not delivered."
        found.append(_alarm("backlog_growing", edge.edge, "", says, "Look at ingest, the broker and the line."))
    if edge.dropped:
        says = f"It gave up {edge.dropped} signals because it had no room."
        found.append(_alarm("signals_dropped", edge.edge, "", says, "Look at its disk; those are lost."))
    if edge.certificate_days is not None and edge.certificate_days < CERTIFICATE_DAYS:
        days = edge.certificate_days
        says = f"Its certificate ends in {days:.0f} days." if days > 0 else "Its certificate has ended."
        hint = "Renew it: `sojourn edge request --renew` there (docs/transport.md); no restart is needed."
        found.append(_alarm("certificate_ends", edge.edge, "", says, hint))
    return found


def _of_anchor(anchor: AnchorFigures, standing: Collection[AlarmKey]) -> list[Alarm]:
    found = []
    low = BATTERY_OVER_PERCENT if ("battery_low", "", anchor.anchor) in standing else BATTERY_PERCENT
    if anchor.fault == "down":
        found.append(_alarm("anchor_down", "", anchor.anchor, "It is down.", "Look at its edge, power and adapter."))
    elif anchor.fault == "deaf":
        says = "Devices stand before it and it hears nothing."
        found.append(_alarm("anchor_deaf", "", anchor.anchor, says, "Look at its antenna, place and power."))
    if anchor.battery_percent is not None and anchor.battery_percent <= low:
        says = f"Its battery is at {anchor.battery_percent} %."
        found.append(_alarm("battery_low", "", anchor.anchor, says, "Change the battery."))
    return found


def _alarm(word: AlarmWord, edge: str, anchor: str, says: str, hint: str) -> Alarm:
    return Alarm(alarm=word, edge=edge, anchor=anchor, says=says, hint=hint)
