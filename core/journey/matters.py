"""What matters to a customer: speed, price, selection, recognition, each with the evidence that says so.

Rules over what she did, each with an id and version as those of the stages; nothing is guessed from who she is. One
rule that holds is a sign, two are clear; what she said herself is clear at once. All times are int nanoseconds.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from core.journey.habits import DAY_NS

LOOK_BACK_NS: Final = 365 * DAY_NS
"""A year holds every season once; what mattered before says less."""
EVIDENCE_SHOWN: Final = 5
_AFTER_PROMOTION_NS: Final = 14 * DAY_NS
"""A usual promotion runs two weeks."""
_FEWEST_VISITS: Final = 5
_PRICE_WORDS: Final = ("sale", "outlet", "discount", "offer", "cheap", "%", "angebot", "rabatt", "günstig", "solde")
_LOOKED: Final = frozenset({"promotion_viewed", "searched", "product_viewed", "cart_added", "wished"})


class Matter(StrEnum):
    """What may matter."""

    SPEED = "speed"
    PRICE = "price"
    SELECTION = "selection"
    RECOGNITION = "recognition"


class Did(msgspec.Struct, frozen=True, kw_only=True):
    """One thing she did; `words` are a product or what was searched for, or the service that she prefers."""

    id: str
    kind: str
    at: int
    words: str = ""


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """A store visit that ended."""

    id: str
    at: int
    dwell_s: float


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that holds: what it says, on how many things it rests, and the newest of them (kind and id)."""

    rule: str
    version: int
    says: str
    count: int
    evidence: tuple[tuple[str, str], ...]


class Mattering(msgspec.Struct, frozen=True, kw_only=True):
    """Something that matters; `clear` with two signs or her own word."""

    matter: Matter
    clear: bool
    signs: tuple[Sign, ...]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of her within the year, oldest first; `browses` and `store_dwells_s` as for the comparison."""

    did: tuple[Did, ...]
    came: tuple[Came, ...]
    browses: float | None
    store_dwells_s: Sequence[float]

    def of(self, *kinds: str) -> list[Did]:
        """Return what she did of these kinds."""
        return [one for one in self.did if one.kind in kinds]


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    matter: Matter
    id: str
    version: int
    says: str
    finds: Callable[[Known], Sequence[Did | Came]]
    decides: bool = False


def what_matters(
    did: Sequence[Did],
    came: Sequence[Came],
    *,
    browses: float | None,
    store_dwells_s: Sequence[float],
    as_of: int,
) -> list[Mattering]:
    """Return what matters to a customer, with the evidence, in the order of `Matter`; nothing without a sign."""
    known = Known(
        did=tuple(sorted((one for one in did if 0 <= as_of - one.at <= LOOK_BACK_NS), key=lambda one: one.at)),
        came=tuple(sorted((one for one in came if 0 <= as_of - one.at <= LOOK_BACK_NS), key=lambda one: one.at)),
        browses=browses,
        store_dwells_s=store_dwells_s,
    )
    found = []
    for matter in Matter:
        held = [(rule, rule.finds(known)) for rule in _RULES if rule.matter is matter]
        signs = [(rule, rests) for rule, rests in held if rests]
        if signs:
            found.append(
                Mattering(
                    matter=matter,
                    clear=len(signs) > 1 or any(rule.decides for rule, _ in signs),
                    signs=tuple(_sign(rule, rests) for rule, rests in signs),
                )
            )
    return found


def _sign(rule: _Rule, rests: Sequence[Did | Came]) -> Sign:
    newest = list(reversed(rests))[:EVIDENCE_SHOWN]
    evidence = tuple((one.kind if isinstance(one, Did) else "store_visit", one.id) for one in newest)
    return Sign(rule=rule.id, version=rule.version, says=rule.says, count=len(rests), evidence=evidence)


def _short_visits(known: Known) -> Sequence[Came]:
    return known.came if known.browses is not None and known.browses <= 0.1 else ()


def _quicker_than_most(known: Known) -> Sequence[Came]:
    if len(known.came) < _FEWEST_VISITS or len(known.store_dwells_s) < 4 * _FEWEST_VISITS:
        return ()
    middle = float(np.median([one.dwell_s for one in known.came]))
    return known.came if middle < float(np.quantile(known.store_dwells_s, 0.25)) else ()


def _promotions(known: Known) -> Sequence[Did]:
    seen, looked = known.of("promotion_viewed"), known.of(*_LOOKED)
    return seen if len(seen) >= 3 and 3 * len(seen) >= len(looked) else ()


def _orders_after_promotions(known: Known) -> Sequence[Did]:
    orders, seen = known.of("ordered"), known.of("promotion_viewed")
    after = [one for one in orders if any(0 <= one.at - other.at <= _AFTER_PROMOTION_NS for other in seen)]
    return after if len(after) >= 2 and 2 * len(after) >= len(orders) else ()


def _price_searches(known: Known) -> Sequence[Did]:
    found = [one for one in known.of("searched") if any(word in one.words.lower() for word in _PRICE_WORDS)]
    return found if len(found) >= 2 else ()


def _many_products(known: Known) -> Sequence[Did]:
    seen = known.of("product_viewed")
    return seen if len(seen) >= 10 and len({one.words for one in seen}) >= 5 else ()


def _at_least(count: int, *kinds: str) -> Callable[[Known], Sequence[Did]]:
    def finds(known: Known) -> Sequence[Did]:
        found = known.of(*kinds)
        return found if len(found) >= count else ()

    return finds


def _browses(known: Known) -> Sequence[Came]:
    return known.came if known.browses is not None and known.browses >= 0.9 else ()


def _prefers(*services: str) -> Callable[[Known], Sequence[Did]]:
    def finds(known: Known) -> Sequence[Did]:
        said = known.of("service_preferred")
        return said[-1:] if said and said[-1].words in services else ()

    return finds


_RULES: Final = (
    _Rule(matter=Matter.SPEED, id="speed.short_visits", version=1, says="Visits are of the short kind, nine to one.",
          finds=_short_visits),
    _Rule(matter=Matter.SPEED, id="speed.quicker_than_most", version=1,
          says="The middle visit is shorter than three of four visits to the store.", finds=_quicker_than_most),
    _Rule(matter=Matter.SPEED, id="speed.collects", version=1, says="Reserved or collected twice or more.",
          finds=_at_least(2, "collected", "reserved")),
    _Rule(matter=Matter.SPEED, id="speed.leave_alone", version=1, says="Asked to be left alone.",
          finds=_prefers("leave_alone"), decides=True),
    _Rule(matter=Matter.PRICE, id="price.promotions", version=1,
          says="A third or more of what was looked at online were promotions.", finds=_promotions),
    _Rule(matter=Matter.PRICE, id="price.orders_after_promotions", version=1,
          says="Half or more of the orders came within two weeks of a promotion viewed.",
          finds=_orders_after_promotions),
    _Rule(matter=Matter.PRICE, id="price.searches", version=1, says="Searched for sales and offers twice or more.",
          finds=_price_searches),
    _Rule(matter=Matter.SELECTION, id="selection.many_products", version=1,
          says="Viewed ten products or more, five of them different.", finds=_many_products),
    _Rule(matter=Matter.SELECTION, id="selection.wishes", version=1, says="Wished for three things or more.",
          finds=_at_least(3, "wished")),
    _Rule(matter=Matter.SELECTION, id="selection.browses", version=1,
          says="Visits are of the long kind, nine to one.", finds=_browses),
    _Rule(matter=Matter.RECOGNITION, id="recognition.prefers", version=1,
          says="Asked to be greeted or recognised.", finds=_prefers("greet", "recognise"), decides=True),
    _Rule(matter=Matter.RECOGNITION, id="recognition.points", version=1, says="Checked points twice or more.",
          finds=_at_least(2, "points_checked")),
    _Rule(matter=Matter.RECOGNITION, id="recognition.appointments", version=1,
          says="Booked two appointments or more.", finds=_at_least(2, "appointment_booked")),
)  # fmt: skip
