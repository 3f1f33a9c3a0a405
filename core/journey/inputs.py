"""What other systems may say of customers: inputs, the kinds of events in each, and what Segment calls them.

Source of the names: Segment's e-commerce spec, version 2, all of its events; the app's follow their form. Those that
mean a stage are named by the rules of the stages; the others are kept, and told in the timeline alone.
"""

from collections.abc import Mapping
from math import inf
from re import ASCII
from re import compile as compile_pattern
from typing import Any, Final

import msgspec

from core.errors import InputError
from core.journey.cues import Cue

KEY_CHARACTERS: Final = 200
"""The longest name an event has at its source; UUIDs, order numbers and Segment's message ids are far shorter."""
TIER_CHARACTERS: Final = 40
"""As of a profile."""
_WORD_CHARACTERS: Final = 200
_LARGEST_AMOUNT: Final = 1e9
"""More than any till takes; what is larger is a column mixed up."""


class EventKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of event; `names` are what other systems call it, with `amount` it needs a total and a currency."""

    kind: str
    names: tuple[str, ...] = ()
    amount: bool = False


def _kinds(*kinds: EventKind) -> Mapping[str, EventKind]:
    return {name: kind for kind in kinds for name in (kind.kind, *(name.lower() for name in kind.names))}


_INPUTS: Final[Mapping[str, Mapping[str, EventKind]]] = {
    "orders": _kinds(
        EventKind(kind="ordered", names=("Order Completed",), amount=True),
        EventKind(kind="collected", names=("Order Collected",)),
        EventKind(kind="returned", names=("Order Returned",)),
        EventKind(kind="refunded", names=("Order Refunded",), amount=True),
        EventKind(kind="cancelled", names=("Order Cancelled",)),
        EventKind(kind="order_updated", names=("Order Updated",)),
    ),
    "online": _kinds(
        EventKind(kind="promotion_viewed", names=("Promotion Viewed", "Promotion Clicked")),
        EventKind(kind="searched", names=("Products Searched",)),
        EventKind(kind="product_viewed", names=("Product Viewed", "Product Clicked")),
        EventKind(kind="list_viewed", names=("Product List Viewed", "Product List Filtered")),
        EventKind(kind="cart_added", names=("Product Added", "Wishlist Product Added to Cart")),
        EventKind(kind="cart_removed", names=("Product Removed",)),
        EventKind(kind="cart_viewed", names=("Cart Viewed",)),
        EventKind(kind="checkout_started", names=("Checkout Started",)),
        EventKind(
            kind="checkout_continued",
            names=("Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered"),
        ),
        EventKind(kind="coupon_entered", names=("Coupon Entered", "Coupon Applied")),
        EventKind(kind="coupon_denied", names=("Coupon Denied",)),
        EventKind(kind="coupon_removed", names=("Coupon Removed",)),
        EventKind(kind="wished", names=("Product Added to Wishlist",)),
        EventKind(kind="wish_removed", names=("Product Removed from Wishlist",)),
        EventKind(kind="shared", names=("Product Shared", "Cart Shared")),
        EventKind(kind="reviewed", names=("Product Reviewed",)),
        EventKind(kind="survey_answered", names=("Survey Answered",)),
        EventKind(kind="complained", names=("Complaint Submitted",)),
    ),
    "app": _kinds(
        EventKind(kind="promotion_viewed", names=("Promotion Viewed",)),
        EventKind(kind="searched", names=("Products Searched",)),
        EventKind(kind="product_viewed", names=("Product Viewed",)),
        EventKind(kind="wished", names=("Product Added to Wishlist",)),
        EventKind(kind="scanned", names=("Product Scanned",)),
        EventKind(kind="passed_by", names=("Store Passed",)),
        EventKind(kind="points_checked", names=("Points Checked",)),
        EventKind(kind="service_preferred", names=("Service Preferred",)),
    ),
    "appointments": _kinds(
        EventKind(kind="appointment_booked", names=("Appointment Booked",)),
        EventKind(kind="appointment_cancelled", names=("Appointment Cancelled",)),
        EventKind(kind="reserved", names=("Product Reserved",)),
    ),
    "loyalty": _kinds(
        EventKind(kind="enrolled", names=("Loyalty Enrolled",)),
        EventKind(kind="tier_changed", names=("Tier Changed",)),
        EventKind(kind="points_checked", names=("Points Checked",)),
    ),
}
INPUTS: Final[Mapping[str, Mapping[str, EventKind]]] = {
    **_INPUTS,
    "events": {name: kind for kinds in _INPUTS.values() for name, kind in kinds.items()},
}
"""Each input with the kinds it may bring, by our name and by those of others in lower case; `events` brings all of
them, for a system that sends one stream."""
DETAIL_FIELDS: Final = (
    "order_id",
    "total",
    "currency",
    "items",
    "product",
    "query",
    "score",
    "starts_at",
    "tier",
    "service",
)
"""What is kept of an event beside its kind, time and store; other fields are left out: less is kept of whom."""
_CURRENCY: Final = compile_pattern(r"[A-Za-z]{3}")
_NUMBER: Final = compile_pattern(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", ASCII)
"""As tills and spreadsheets write one; Python reads more, such as 1_000, nan and digits of other scripts."""


def event_kind(given_input: str, name: str) -> str:
    """Return our word for a kind of event of an input.

    Raises
    ------
    InputError
        If there is no such input, or it brings no such kind.
    """
    kinds = INPUTS.get(given_input)
    if kinds is None:
        raise InputError(
            f"There is no input {given_input[:40]!r}.", hint=f"Inputs are {', '.join(INPUTS)}.", where="input"
        )
    found = kinds.get(name.strip().lower())
    if found is None:
        words = ", ".join(sorted({kind.kind for kind in kinds.values()}))
        raise InputError(
            f"{given_input} bring no event of this kind.",
            hint=f"They bring {words}, or Segment's names of these; `events` brings every kind.",
            where="kind",
        )
    return found.kind


def event_detail(given_input: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of an event, checked: amounts as numbers, words at most _WORD_CHARACTERS long.

    Raises
    ------
    InputError
        If an amount is missing or no number, a word is too long, an appointment starts at no time, or a preference or
        a new tier is none.
    """
    detail: dict[str, Any] = {}
    for field in DETAIL_FIELDS:
        value = given.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):  # a number of spaces would be one number
            continue
        detail[field] = _amount(value, field) if field in {"total", "items", "score"} else _word(value, field)
    amount = INPUTS[given_input][kind].amount
    if amount and "total" not in detail:
        raise InputError("An amount is missing.", hint="Give total, such as 59.90.", where="total")
    if amount or "currency" in detail:
        currency = detail.get("currency", "")
        if not _CURRENCY.fullmatch(currency):
            raise InputError(
                "The currency is missing or no code.", hint="Give ISO 4217, such as EUR.", where="currency"
            )
        detail["currency"] = currency.upper()
    if kind == "service_preferred":
        detail["service"] = _service(str(detail.get("service", "")))
    if kind == "tier_changed" and not 1 <= len(str(detail.get("tier", ""))) <= TIER_CHARACTERS:
        raise InputError(f"The new tier is missing, or longer than {TIER_CHARACTERS} characters.", where="tier")
    return detail


def _service(said: str) -> str:
    """Return a preference in our word; in another spelling it would silently take the customer's own away."""
    word = said.casefold().replace("-", "_").replace(" ", "_")
    if word not in set(Cue):
        raise InputError(
            "This is no service that can be preferred.", hint=f"They are {', '.join(Cue)}.", where="service"
        )
    return word


def _amount(value: Any, field: str) -> float:
    # JSON's true is a number to Python, and no amount to anybody
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise InputError("This is no number.", hint="Write 59.90, with a point.", where=field)
    try:
        amount = float(value)
    except OverflowError:  # a whole number of JSON may have any number of digits
        amount = inf
    if not -_LARGEST_AMOUNT <= amount <= _LARGEST_AMOUNT:  # NaN is not within either
        raise InputError("This number is out of bounds.", where=field)
    return amount


def _word(value: Any, field: str) -> str:
    word = str(value).strip()
    if len(word) > _WORD_CHARACTERS or not word.isprintable():
        raise InputError(
            f"This has more than {_WORD_CHARACTERS} characters, or some that cannot be read.", where=field
        )
    return word
