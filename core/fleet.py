"""What is wrong with edges and anchors, by rules with a reason for each number: pure.

Each rule has two bounds: at the first it is raised, at the second, which is safer, it is over. What lies between is
as it was, so that a figure at its bound does not flicker.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

AlarmWord: TypeAlias = Literal[
    "edge_gone", "edge_silent", "edge_stopped", "clock_skew", "backlog_growing", "signals_dropped",
    "certificate_ends", "battery_low", "anchor_down", "anchor_deaf", "coverage_low",
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
    "edge_gone": 60, "edge_silent": 30, "edge_stopped": 120, "clock_skew": 30, "backlog_growing": 30,
    "signals_dropped": 0, "certificate_ends": 0, "battery_low": 60, "anchor_down": 120, "anchor_deaf": 120,
    "coverage_low": 120,
}  # fmt: skip
"""How long it has to be so before anybody is told, and over before it is said to be over. An edge that restarts is
back within a minute, and its anchors are up within another; who stops one to work on it has those two. Statuses come
every ten seconds: 30 s are three in a row, and after a restart of ingest every edge has spoken by then. What was
dropped is lost: that is told at once, as is the end of a certificate, whose date does not flicker."""


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
    anchors: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether it is online by its last word, and that was too long ago."""
        return self.state == "online" and self.status_age_s is not None and self.status_age_s > SILENT_S

    @property
    def hears(self) -> bool:
        """Whether it is there to hear its anchors, as far as anybody knows."""
        return self.state == "online" and not self.silent


class AnchorFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An anchor: what is wrong by its edge (`down`) or by the signals (`deaf`), and its battery."""

    anchor: str
    fault: str | None
    battery_percent: int | None


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody has to look at: which edge or anchor (empty: the store), what, and what to do.

    `anchors` are those that an edge leaves unheard: they are part of its alarm and have none of their own.
    """

    alarm: AlarmWord
    edge: str
    anchor: str
    says: str
    hint: str
    anchors: tuple[str, ...] = ()

    @property
    def key(self) -> AlarmKey:
        """What it is about."""
        return (self.alarm, self.edge, self.anchor)


def alarms(
    edges: Sequence[EdgeFigures], anchors: Sequence[AnchorFigures], standing: Collection[AlarmKey] = ()
) -> list[Alarm]:
    """Return what is wrong in a store, edges first; each cause once.

    An anchor that only edges hear which are not there is no cause of its own: their alarms name it, and coverage is
    low only by what is wrong beyond that. One that was told of before its edge went stays told of.

    Parameters
    ----------
    edges, anchors : sequence
        All of the store.
    standing : collection of AlarmKey
        What is known to be wrong: it is over only at its second bound.
    """
    unheard = _unheard(edges, {one.anchor for one in anchors})
    found = [alarm for edge in edges for alarm in _of_edge(edge, unheard.get(edge.edge, ()), standing)]
    by_edges = {anchor for left in unheard.values() for anchor in left}
    own = [_own(anchor, standing) if anchor.anchor in by_edges else anchor for anchor in anchors]
    found += [alarm for anchor in own for alarm in _of_anchor(anchor, standing)]
    least = COVERAGE_OVER_SHARE if ("coverage_low", "", "") in standing else COVERAGE_SHARE
    if anchors and 1 - _faulty(own) / len(anchors) < least:
        says = f"{len(anchors) - _faulty(anchors)} of {len(anchors)} anchors work."
        found.append(_alarm("coverage_low", "", "", says, "Look at what its anchors have in common: power, network."))
    return found


def _unheard(edges: Sequence[EdgeFigures], planned: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return by edge that is not there the anchors of the plan that no other hears."""
    lost = set(planned).difference(*(edge.anchors for edge in edges if edge.hears))
    return {edge.edge: tuple(sorted(lost.intersection(edge.anchors))) for edge in edges if not edge.hears}


def _own(anchor: AnchorFigures, standing: Collection[AlarmKey]) -> AnchorFigures:
    """Return what is wrong with an anchor beside its edge not being there."""
    told = anchor.fault is not None and (f"anchor_{anchor.fault}", "", anchor.anchor) in standing
    return anchor if told else msgspec.structs.replace(anchor, fault=None)


def _faulty(anchors: Sequence[AnchorFigures]) -> int:
    return sum(anchor.fault is not None for anchor in anchors)


def _of_edge(edge: EdgeFigures, unheard: tuple[str, ...], standing: Collection[AlarmKey]) -> list[Alarm]:
    absent = _absence(edge, unheard)
    found = [] if absent is None else [absent]
    most_skew_s = SKEW_OVER_S if ("clock_skew", edge.edge, "") in standing else SKEW_S
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


def _absence(edge: EdgeFigures, unheard: tuple[str, ...]) -> Alarm | None:
    """Return what is wrong with an edge that is not there to hear, and which anchors nobody hears for that."""
    word: AlarmWord
    if edge.state == "offline":
        word, hint = "edge_gone", "Look at its power and network; it delivers later."
        says = "The broker lost it without a goodbye."
    elif edge.silent:
        word, hint = "edge_silent", "Look whether ingest runs, then at the edge."
        says = f"It said nothing for {edge.status_age_s:.0f} s."
    elif edge.state == "stopped" and unheard:
        word, hint = "edge_stopped", "Start it again; where another took its place, take these anchors from the plan."
        says = "It was stopped."
    else:
        return None
    if unheard:
        says += f" {len(unheard)} {'anchor is' if len(unheard) == 1 else 'anchors are'} heard by no other edge."
    return msgspec.structs.replace(_alarm(word, edge.edge, "", says, hint), anchors=unheard)


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
