"""The consented customers of a chain, and what they do online and at the till around their visits.

Profiles are bodies of `POST /v1/profiles`, events rows of the CSV imports (docs/profiles.md).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from core.limits import NS_PER_S
from simulators.chain.draws import Draws
from simulators.chain.settings import ChainSettings
from simulators.chain.visitors import device_name

EVENT_COLUMNS: Final = (
    "input", "key", "kind", "occurred_at", "store", "customer_id", "order_id", "total", "currency", "items",
    "product", "query", "score",
)  # fmt: skip
"""`input` names the file that a row goes to; the others are columns of the import."""
_FIRST: Final = ("Amara", "Ben", "Chiara", "Daoud", "Elin", "Femi", "Greta", "Hiro", "Ines", "Jonas", "Karin", "Luca")
_LAST: Final = ("Okafor", "Berger", "Costa", "Demir", "Eklund", "Fischer", "Garcia", "Hansen", "Ivanova", "Jansen")
_TIERS: Final = (None, None, "Silver", "Gold")
_PRODUCTS: Final = ("trail shoe", "rain jacket", "canvas bag", "wool scarf", "desk lamp", "tea set", "kids' boots")
_CURRENCIES: Final = {"Europe/London": "GBP", "America/New_York": "USD", "America/Chicago": "USD",
                      "Australia/Sydney": "AUD"}  # fmt: skip
_LOOKED: Final = 0.5  # of visits follow a look online within two days
_WISHED: Final = 0.4  # of those who looked
_REVIEWED: Final = 0.15  # of those who bought
_RETURNED: Final = 0.05
_TILL_S: Final = 15  # the receipt is printed a little before one leaves the checkout
_HOUR: Final = 3600.0


class Bought(NamedTuple):
    """A member's visit as the events see it: when it began, and when they left the checkout, ns (0: never)."""

    began_at: int
    paid_at: int


def customer_id(store: str, number: int) -> str:
    """Return the number on a member's card."""
    return f"{store}-{number:04}"


def profiles(settings: ChainSettings, store: str) -> Iterator[dict[str, Any]]:
    """Yield the members of a store as bodies of `POST /v1/profiles`."""
    before = datetime.combine(settings.first_day, datetime.min.time(), UTC)
    for number in range(settings.members):
        draws = Draws(settings.seed, "profile", store, number)
        tier = _TIERS[draws.below(len(_TIERS))]
        yield {
            "source": "simulated",
            "display_name": f"{_FIRST[draws.below(len(_FIRST))]} {_LAST[draws.below(len(_LAST))]}",
            **({"loyalty_tier": tier} if tier is not None else {}),
            "identifiers": [{"kind": "customer_id", "value": customer_id(store, number)}],
            "devices": [device_name(settings.seed, store, f"member-{number}")],
            "consent": {
                "source": "simulated",
                "wording": "2025-11",
                "occurred_at": _text(before - timedelta(days=10 + draws.below(300))),
            },
        }


def events(
    settings: ChainSettings, store: str, timezone: str, number: int, visit: Bought
) -> Iterator[dict[str, str]]:
    """Yield what a member does around one visit, by EVENT_COLUMNS: looks before it, pays in it, reviews after it."""
    draws = Draws(settings.seed, "events", store, number, visit.began_at)
    who = {"customer_id": customer_id(store, number)}
    key = f"{who['customer_id']}-{visit.began_at // NS_PER_S}"
    product = _PRODUCTS[draws.below(len(_PRODUCTS))]
    if draws.chance(_LOOKED):
        looked_at = visit.began_at - round(draws.uniform(0.5, 48) * _HOUR) * NS_PER_S
        for place, (kind, detail) in enumerate(
            (("searched", {"query": product}), ("product_viewed", {"product": product}))
        ):
            at = looked_at + place * (20 + draws.below(100)) * NS_PER_S
            yield _row("online", f"{key}-{kind}", kind, at, **who, **detail)
        if draws.chance(_WISHED):
            at = looked_at + (200 + draws.below(200)) * NS_PER_S
            yield _row("app", f"{key}-wished", "wished", at, **who, product=product)
    if not visit.paid_at:
        return
    order = {"order_id": f"R-{key}", "product": product}
    total = f"{draws.log_normal(40, 0.7):.2f}"
    money = {"total": total, "currency": _CURRENCIES.get(timezone, "EUR"), "items": str(1 + draws.below(4))}
    paid_at = visit.paid_at - _TILL_S * NS_PER_S
    yield _row("orders", f"R-{key}", "ordered", paid_at, store=store, **who, **order, **money)
    if draws.chance(_REVIEWED):
        at = paid_at + round(draws.uniform(12, 72) * _HOUR) * NS_PER_S
        yield _row("online", f"{key}-reviewed", "reviewed", at, **who, product=product, score=str(2 + draws.below(4)))
    if draws.chance(_RETURNED):
        at = paid_at + round(draws.uniform(24, 96) * _HOUR) * NS_PER_S
        yield _row("orders", f"R-{key}-returned", "returned", at, store=store, **who, **order)


def _row(given_input: str, key: str, kind: str, at: int, **given: str) -> dict[str, str]:
    when = _text(datetime.fromtimestamp(at // NS_PER_S, UTC))
    return dict.fromkeys(EVENT_COLUMNS, "") | {
        "input": given_input,
        "key": key,
        "kind": kind,
        "occurred_at": when,
        **given,
    }


def _text(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
