"""What each number means: the registry. Every answer names the id, the version and the parameters of its formula.

A formula whose result changes for the same visits gets a new version; docs/metrics.md tells each one.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from core.errors import InputError
from core.journey.rules import ENGAGE_DWELL_S
from core.metrics import cells
from core.metrics.bins import threshold_bin
from core.metrics.cells import Cell

Unit = Literal["visits", "people", "share", "s", "moves", "ratio"]
Shape = Literal[
    "cell", "ratio", "crowd", "now", "histogram", "curve", "flow", "paths", "week", "returning", "orders", "shelf"
]
Part = Literal["zone", "inside", "store", "staff", "visitors", "converted"]
_MINUTE: Final = 60


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold of a formula; `reason` says why its default is what it is."""

    id: str
    says: str
    default_s: int
    reason: str


VISIT_S: Final = Parameter(
    id="visit_s",
    says="Shorter visits are not counted, s",
    default_s=0,
    reason="The dwell engine has left out what was no visit already.",
)
BOUNCE_S: Final = Parameter(
    id="bounce_s",
    says="Shorter visits are bounces, s",
    default_s=3 * _MINUTE,
    reason="A lap through a store of 40 m by 25 m at a stroller's 0.7 m/s takes about three minutes.",
)
ENGAGE_S: Final = Parameter(
    id="engage_s",
    says="From here on a visit is engaged, s",
    default_s=ENGAGE_DWELL_S,
    reason="The same 30 s that let the journey's stage Engage count: longer than it takes to walk through a zone.",
)
CAPTURE_S: Final = Parameter(
    id="capture_s",
    says="Who stays as long as this has been captured, s",
    default_s=5 * _MINUTE,
    reason="What products that publish theirs use; who only passes the window is gone sooner.",
)


QUEUE_S: Final = Parameter(
    id="queue_s",
    says="Shorter stays only walked past the queue, s",
    default_s=30,
    reason="Walking past a checkout of 10 m takes 15 s; twice that stands.",
)
SERVE_S: Final = Parameter(
    id="serve_s",
    says="Who leaves the zone sooner has not been served, s",
    default_s=60,
    reason="Scanning and paying for a single item takes about a minute; service desks take longer.",
)
QUEUE_KINDS: Final = ("checkout", "service")
"""Zones in which people wait to be served."""


class Formula(msgspec.Struct, frozen=True, kw_only=True):
    """One named number.

    `says` is the formula in words, `code` the same as an expression. `reckon` computes it from a cell where `shape`
    is cell, `compare` from `part` and `whole` where it is ratio; other shapes have functions of their own.
    """

    id: str
    version: int
    title: str
    unit: Unit
    says: str
    code: str
    shape: Shape
    parameters: tuple[Parameter, ...] = ()
    reckon: Callable[[Cell, Mapping[str, int]], float | None] | None = None
    compare: Callable[[Cell, Cell], float | None] | None = None
    part: Part = "zone"
    whole: Part = "store"
    by_zone: bool = True
    """Whether it can be asked for a zone."""
    zone_kinds: tuple[str, ...] = ()
    """Kinds of zones that it is of; empty: of all, and of the store."""
    spread: bool = False
    """Whether it asks how dwell is spread; else counts and sums are enough, which are read much faster."""


_DWELL: Final = "Residents (staff, fixed tags) are left out."
_GONE: Final = "Of those whose visit to the store is over; by day or longer, because hours are of different people."

FORMULAS: Final = {
    formula.id: formula
    for formula in (
        Formula(
            id="footfall", version=1, title="Footfall", unit="visits", shape="cell", spread=True,
            says="Visits that began in the bucket and lasted at least visit_s.",
            code="count(visit where dwell >= visit_s)", parameters=(VISIT_S,), reckon=cells.footfall,
        ),
        Formula(
            id="people", version=1, title="People", unit="people", shape="cell",
            says="Distinct people who began a visit in the bucket; in longer buckets the sum over the days,"
            " because a pseudonym lasts a day.",
            code="sum over days of count(distinct device)", reckon=cells.people,
        ),
        Formula(
            id="occupancy", version=3, title="Mean occupancy", unit="people", shape="crowd", by_zone=False,
            says="Mean number of store visits in progress over the bucket, as far as it is decided who was"
            " there, up to a minute or two ago; who is there now counts until then.",
            code="sum(overlap(visit, bucket)) / length(bucket until now)",
        ),
        Formula(
            id="occupancy_peak", version=3, title="Peak occupancy", unit="people", shape="crowd", by_zone=False,
            says="Most store visits in progress at the same instant of the bucket, those of who is there now among"
            " them, up to a minute or two ago: later departures are not known yet.",
            code="max over t of count(visit where entered_at <= t < left_at)",
        ),
        Formula(
            id="capture_dwell", version=1, title="Capture rate by dwell", unit="share", shape="cell", by_zone=False,
            spread=True, says="Share of store visits, passers-by among them, that lasted at least capture_s.",
            code="count(visit where dwell >= capture_s) / count(visit)", parameters=(CAPTURE_S,),
            reckon=cells.capture_dwell,
        ),
        Formula(
            id="capture_inside", version=3, title="Capture rate by going in", unit="share", shape="ratio",
            by_zone=False, part="inside", compare=cells.people_share,
            says="Share of the people who were heard that went beyond the entrance: had a stay in a zone that is"
            " neither entrance nor staff only. " + _GONE,
            code="people(zones inside) / people(store)",
        ),
        Formula(
            id="bounce", version=2, title="Bounce rate", unit="share", shape="cell", spread=True,
            says="Share of the visits of at least visit_s that lasted less than bounce_s.",
            code="count(visit where visit_s <= dwell < bounce_s) / count(visit where dwell >= visit_s)",
            parameters=(BOUNCE_S, VISIT_S), reckon=cells.bounce,
        ),
        Formula(
            id="engaged", version=2, title="Engaged", unit="share", shape="cell", spread=True,
            says="Share of the visits of at least visit_s that lasted at least engage_s.",
            code="count(visit where dwell >= engage_s) / count(visit where dwell >= visit_s)",
            parameters=(ENGAGE_S, VISIT_S), reckon=cells.engaged,
        ),
        Formula(
            id="dwell_mean", version=1, title="Mean dwell", unit="s", shape="cell", reckon=cells.dwell_mean,
            says="Mean of the dwell of the visits that began in the bucket. " + _DWELL,
            code="sum(dwell) / count(visit)",
        ),
        Formula(
            id="dwell_median", version=1, title="Median dwell", unit="s", shape="cell", reckon=cells.dwell_median,
            spread=True,
            says="Dwell that half of the visits do not exceed; needs ten visits on either side. " + _DWELL,
            code="quantile(dwell, 0.5), by less than a bin: 1 s below a minute, a twelfth above",
        ),
        Formula(
            id="dwell_p90", version=1, title="Dwell, 90th percentile", unit="s", shape="cell", spread=True,
            reckon=cells.dwell_p90,
            says="Dwell that nine of ten visits do not exceed; needs a hundred visits. " + _DWELL,
            code="quantile(dwell, 0.9), by less than a bin: 1 s below a minute, a twelfth above",
        ),
        Formula(
            id="dwell_p95", version=1, title="Dwell, 95th percentile", unit="s", shape="cell", spread=True,
            reckon=cells.dwell_p95,
            says="Dwell that 19 of 20 visits do not exceed; needs two hundred visits. " + _DWELL,
            code="quantile(dwell, 0.95), by less than a bin: 1 s below a minute, a twelfth above",
        ),
        Formula(
            id="dwell_histogram", version=2, title="Distribution of dwell", unit="visits", shape="histogram",
            spread=True, says="Visits by length; neighbouring bands are joined until each holds ten visits or none on"
            " each day. Days that would join bands of all others are left out, at most a tenth of the visits.",
            code="count(visit where from_s <= dwell < to_s)",
        ),
        Formula(
            id="dwell_curve", version=2, title="Engagement curve", unit="share", shape="curve", spread=True,
            says="Share of visits that lasted at least so long, where the bars of the distribution begin; of the same"
            " days.",
            code="count(visit where dwell >= t) / count(visit)",
        ),
        Formula(
            id="zone_entry", version=3, title="Entry rate", unit="share", shape="ratio", compare=cells.people_share,
            says="Share of the people in the store who had a stay in the zone. " + _GONE,
            code="people(zone) / people(store)",
        ),
        Formula(
            id="zone_exposure", version=3, title="Exposure", unit="share", shape="ratio", compare=cells.dwell_share,
            says="Share of all the time spent in the store that was spent in the zone. " + _GONE,
            code="sum(dwell in zone) / sum(dwell in store)",
        ),
        Formula(
            id="flow", version=1, title="Flow from zone to zone", unit="moves", shape="flow", by_zone=False,
            says="How often a stay in one zone was followed by one in another zone, by the same person on the same"
            " day and within 15 minutes; zones around others are left out.",
            code="count(stay i, stay i + 1 where zone differs and gap <= 900 s)",
        ),
        Formula(
            id="paths", version=1, title="Paths", unit="people", shape="paths", by_zone=False,
            says="Sequences of up to six zones that people began a day's visit with, most frequent first.",
            code="count(distinct device) by first 6 zones",
        ),
        Formula(
            id="week_hour", version=2, title="Hour by weekday", unit="visits", shape="week",
            says="Mean visits that began in an hour of the store's clocks, over the hours told: one that clocks leave"
            " out is none, one that they repeat is two; today is left out.",
            code="sum(visits in hours of weekday) / count(hours of weekday)",
        ),
        Formula(
            id="week_part", version=2, title="Weekday and weekend", unit="visits", shape="week",
            says="Mean visits of a day from Monday to Friday, and of a Saturday or Sunday, over the days"
            " told; today is left out unless it is the only day.",
            code="sum(visits in days) / count(days)",
        ),
        Formula(
            id="returning", version=1, title="Returning", unit="share", shape="returning", by_zone=False,
            says="Of the customers whose consent holds and who visited in the bucket, the share that had visited on"
            " another day of the 90 before. Others cannot be recognised on another day, and are not guessed.",
            code="count(profile seen on an earlier day) / count(profile)",
        ),
        Formula(
            id="occupancy_now", version=1, title="Occupancy now", unit="people", shape="now",
            says="People with a visit in progress, as of the newest signal; each zone, or the store. Live figures are"
            " told down to one person, without a device or a time.",
            code="count(presence where role is visitor)",
        ),
        Formula(
            id="queue_wait", version=1, title="Queue wait, median", unit="s", shape="cell", parameters=(QUEUE_S,),
            spread=True, reckon=cells.queue_wait, zone_kinds=QUEUE_KINDS,
            says="Time that half of the stays of at least queue_s in a checkout or service zone do not exceed, from"
            " joining the queue to leaving the zone: waiting and being served together.",
            code="quantile(dwell where dwell >= queue_s, 0.5)",
        ),
        Formula(
            id="queue_wait_p90", version=1, title="Queue wait, 90th percentile", unit="s", shape="cell", spread=True,
            parameters=(QUEUE_S,), reckon=cells.queue_wait_p90, zone_kinds=QUEUE_KINDS,
            says="Time that nine of ten stays of at least queue_s do not exceed; needs a hundred of them.",
            code="quantile(dwell where dwell >= queue_s, 0.9)",
        ),
        Formula(
            id="queue_abandoned", version=1, title="Queue abandonment", unit="share", shape="cell", spread=True,
            parameters=(QUEUE_S, SERVE_S), reckon=cells.queue_abandoned, zone_kinds=QUEUE_KINDS,
            says="Share of the stays of at least queue_s in a checkout or service zone that ended before serve_s:"
            " before anybody can have been served.",
            code="count(stay where queue_s <= dwell < serve_s) / count(stay where dwell >= queue_s)",
        ),
        Formula(
            id="section_conversion", version=3, title="Section conversion", unit="share", shape="ratio",
            part="converted", whole="zone", compare=cells.people_share,
            says="Share of the people who had a stay in the zone who had one at a checkout later that day. " + _GONE,
            code="people(zone, then checkout) / people(zone)",
        ),
        Formula(
            id="new_customers", version=1, title="New", unit="share", shape="returning", by_zone=False,
            says="Of the customers whose consent holds and who visited in the bucket, the share that had not visited"
            " on another day of the 90 before.",
            code="1 - count(profile seen on an earlier day) / count(profile)",
        ),
        Formula(
            id="cross_store", version=1, title="Cross-store", unit="share", shape="returning", by_zone=False,
            says="Of the customers whose consent holds and who visited in the bucket, the share that had visited"
            " another store on that day or in the 90 before.",
            code="count(profile seen in another store) / count(profile)",
        ),
        Formula(
            id="online_share", version=2, title="Orders online", unit="share", shape="orders", by_zone=False,
            says="Of the orders of customers whose consent holds and who had visited the store on that day or in the"
            " 30 before, the share that was placed online rather than in a store; calendar weeks that lie within the"
            " range and are over, each with ten customers.",
            code="count(order online) / count(order)",
        ),
        Formula(
            id="shelf_view", version=2, title="Shelf view before a sale", unit="s", shape="shelf", by_zone=False,
            says="How long a customer whose consent holds stood at an item's shelf on the day, before buying the item"
            " in the store, until the moment of the sale; mean of the orders of calendar weeks within the range that"
            " are over, each with ten customers. Needs to know which item stood where in that week (shelf items) and"
            " orders; those without a stay at the shelf are left out.",
            code="mean over orders of sum(min(left_at, order) - entered_at at shelf(item) before order)",
        ),
        Formula(
            id="staff_ratio", version=2, title="Customer time per staff time", unit="ratio", shape="ratio",
            by_zone=False, part="visitors", whole="staff", compare=cells.dwell_share,
            says="Time that visitors spent in the store for each unit of time that staff spent there, on days with"
            " ten people of staff; the hours of a smaller team would be those of few, and are never told.",
            code="sum(dwell of visitors) / sum(dwell of staff)",
        ),
    )
}  # fmt: skip
"""Every formula by its id."""

PARAMETERS: Final = {
    parameter.id: parameter for parameter in (VISIT_S, BOUNCE_S, ENGAGE_S, CAPTURE_S, QUEUE_S, SERVE_S)
}


def is_of_days(formula: Formula) -> bool:
    """Return whether it compares stays with what else the same people did on a day.

    Who comes into a zone in one hour may have come to the store in the hour before: an hour has no such share.
    """
    return formula.shape == "ratio" and formula.part in {"zone", "inside", "converted"}


def find(formula: str) -> Formula:
    """Return a formula.

    Raises
    ------
    InputError
        If there is none of this id.
    """
    found = FORMULAS.get(formula)
    if found is None:
        raise InputError(f"There is no formula {formula[:64]!r}.", hint=f"There are {', '.join(FORMULAS)}.")
    return found


def settled(formula: Formula, given: Mapping[str, int]) -> dict[str, int]:
    """Return the parameters of a formula with defaults for those that are not given.

    Raises
    ------
    InputError
        If one is not the formula's, or no threshold that dwell is counted by.
    """
    known = {parameter.id: parameter.default_s for parameter in formula.parameters}
    for name, value in given.items():
        if name not in known:
            has = f"It has {', '.join(known)}." if known else "It has none."
            raise InputError(f"{formula.id} has no parameter {name}.", hint=has, where=name)
        threshold_bin(value, name)
    found = known | dict(given)
    for name in (BOUNCE_S.id, ENGAGE_S.id):
        least_s = found.get(VISIT_S.id, 0)
        if least_s and name in found and found[name] <= least_s:
            raise InputError(
                f"Of visits of at least {least_s} s, those shorter than {found[name]} s are none.",
                hint=f"Let {name} be more than visit_s.",
                where=name,
            )
    return found
