"""How times, lengths of time and codes are written for people; used by the templates, and told to the scripts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.journey.feeling import Feeling, is_sure

PEOPLE_STEPS: Final = (1, 3, 6, 10, 16, 25)
"""Least people for each step of heat above empty. Fixed, so that a colour means the same at every minute and in every
store; each step is about 1.6 times the one before, as people judge crowds by ratio."""
DWELL_STEPS_S: Final = (15, 30, 60, 180, 420, 900)
"""Least seconds for each step: passing through, the 30 s of an engagement, then steps of two to three times."""

_TO: Final = "\N{EN DASH}"

CLOSED_BY: Final = {
    "moved_on": "Moved on",
    "silence": "Signals stopped",
    "anchor_down": "Anchor went down",
    "app_exit": "App reported leaving",
    "store_closed": "Store closed",
    "end_of_recording": "Recording ended",
}
REVISED: Final = "corrected"
"""Beside a visit that was revised after it had been reported."""
RESIDENT: Final = {"fixture": "fixed tag", "staff": "staff"}
"""Roles that are said; that somebody is a visitor goes without saying."""
ANCHOR_FAULT: Final = {"down": "down", "deaf": "hears nothing"}
UNSURE: Final = "Unsure"
"""Of a suggestion that is right in one of two: it is not told as a feeling."""
FEELING: Final = {"positive": "Positive", "negative": "Negative", "neutral": "Neutral", "mixed": "Mixed"}
SOURCE: Final = {"staff": "Staff", "email": "E-mail", "chat": "Chat", "social": "Social media"}
MEMORY_KIND: Final = {
    "note": "Note",
    "follow_up": "Follow-up",
    "complained": "Complaint",
    "store_visit": "Visit",
    "zone_visit": "Stay",
}
PROMISE: Final = {
    "overdue": "Overdue",
    "open": "Open",
    "undated": "No date, and no follow-up",
    "kept_late": "Kept, late",
    "kept": "Kept",
}
FOLLOW_UP: Final = {"overdue": "Overdue", "today": "Today", "later": "Later", "done": "Done"}
FAULTS_SHOWN: Final = 12
"""Anchors that are named on the live page: two lines of it; how many there are stands before them."""
ZONE_KIND: Final = {
    "entrance": "Entrance",
    "department": "Department",
    "shelf": "Shelf",
    "fitting_room": "Fitting room",
    "checkout": "Checkout",
    "service": "Service",
    "staff_only": "Staff only",
}
STATE: Final = {"reached": "Reached", "under_way": "Under way", "not_yet": "Not yet", "skipped": "Skipped"}
BECAUSE: Final = {
    "evidence": "",
    "no_evidence": "No evidence of it",
    "no_evidence_so_far": "No evidence so far",
    "not_arrived": "Waits for a visit",
    "visit_in_progress": "Visit in progress",
    "stay_in_progress": "A stay is in progress, still short",
    "at_checkout": "At the checkout now",
    "end_not_seen": "The end of the visit was not seen",
    "bought": "Bought something",
    "collected": "Collected an order",
    "returned": "Returned something",
    "left_empty_handed": "Visit ended; no order known",
    "paid_back": "Bought, and paid back as a whole since",
    "ordered_online": "Ordered online",
}
EVIDENCE: Final = {
    "store_visit": "Store visit",
    "zone_visit": "Stay",
    "consent_granted": "Consent given",
    "consent_withdrawn": "Consent withdrawn",
    "enrolled": "Enrolled",
    "passed_by": "Passed by the store",
    "noted": "Note taken",
    "points_checked": "Points checked",
    "service_preferred": "Service preferred",
    "wished": "Put on the wish list",
    "cart_added": "Put into the cart",
}


HAPPENING: Final = {
    "ordered": "Ordered",
    "collected": "Collected an order",
    "returned": "Returned something",
    "refunded": "Asked for a refund",
    "cancelled": "Cancelled an order",
    "promotion_viewed": "Saw a promotion",
    "searched": "Searched",
    "product_viewed": "Viewed a product",
    "reviewed": "Wrote a review",
    "survey_answered": "Answered a survey",
    "complained": "Complained",
    "scanned": "Scanned a product",
    "appointment_booked": "Booked an appointment",
    "appointment_cancelled": "Cancelled an appointment",
    "reserved": "Reserved something",
    "tier_changed": "Changed tier",
    "order_updated": "Changed an order",
    "list_viewed": "Viewed a list of products",
    "cart_removed": "Took out of the cart",
    "cart_viewed": "Viewed the cart",
    "checkout_started": "Went to the checkout online",
    "checkout_continued": "Went on at the checkout online",
    "coupon_entered": "Entered a coupon",
    "coupon_denied": "Coupon denied",
    "coupon_removed": "Removed a coupon",
    "wish_removed": "Took off the wish list",
    "shared": "Shared something",
    "cue_told": "Cue to staff",
    "alerted": "Alert",
    "message_made": "Message",
    **EVIDENCE,
}
"""Kinds of events as a person tells them; one that is not here is told by its own name."""
CUE: Final = {
    "greet": "Greet by name",
    "offer": "Offer what goes with the last order",
    "recognise": "Recognise loyalty",
    "leave_alone": "Leave alone",
}
COMPLETION: Final = {
    "bought": "Bought",
    "collected": "Collected",
    "returned": "Brought back",
    "ordered_online": "Ordered online",
    "paid_back": "Bought, paid back since",
    "left_empty_handed": "Left, no order known",
}
MATTER: Final = {"speed": "Speed", "price": "Price", "selection": "Selection", "recognition": "Recognition"}
CUE_OUTCOME: Final = {"done": "Done", "declined": "Not wanted", "not_met": "Not met"}
ALERT_CAME_OF: Final = {True: "It was right.", False: "It was wrong.", None: ""}
IDENTIFIER: Final = {
    "customer_id": "Customer number",
    "loyalty_number": "Loyalty card",
    "email": "E-mail",
    "phone": "Phone",
    "app_user": "App user",
    "anonymous_id": "Browser",
}
DELIVERY: Final = {
    "waiting": "Waiting",
    "delivered": "Delivered",
    "dead": "Dead letter",
    "withheld": "Withheld",
}
BLOCKED: Final = {"kiosk": "Kiosk", "staff": "Device of staff", "shared": "Shared device"}


def happening(kind: str) -> str:
    """Return what happened, as a person tells it."""
    return HAPPENING.get(kind, kind.replace("_", " ").capitalize())


def beside(share_below: float) -> str:
    """Return where a length stands among others, like longer than 75%."""
    if share_below in {0.0, 1.0}:
        return "longer than all" if share_below else "shorter than all"
    return f"longer than {per_cent(share_below)}"


def days(length: float) -> str:
    """Return a number of days like 7 days, or 1.5 days below three."""
    if length >= 3 or abs(length - round(length)) < 0.05:
        whole = int(length + 0.5)
        return f"{whole} day" if whole == 1 else f"{whole} days"
    return f"{length:.1f} days"


def local_input(at: datetime, timezone: str) -> str:
    """Return a time on the clocks of `timezone` as <input type=datetime-local> takes it."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%dT%H:%M")


def pieces(text: str, clauses: Sequence[Any]) -> list[tuple[str, str]]:
    """Return a text in pieces (words, feeling): feeling is that of a cue, empty in between."""
    found, place = [], 0
    for cue in (cue for clause in clauses for cue in clause.cues):
        found.append((text[place : cue.begin], ""))
        found.append((text[cue.begin : cue.end], "positive" if cue.valence > 0 else "negative"))
        place = cue.end
    return [piece for piece in [*found, (text[place:], "")] if piece[0]]


def sure(feeling_read: Mapping[str, Any]) -> bool:
    """Return whether the suggestion that a note holds is to be told as it is."""
    return is_sure(
        Feeling(feeling_read["feeling"]),
        feeling_read["score"],
        (cue["valence"] for clause in feeling_read["clauses"] for cue in clause["cues"]),
        feeling_read.get("likelihood"),
        feeling_read.get("doubted", False),
    )


def heat_step(value: float, steps: tuple[int, ...]) -> int:
    """Return 0 for less than the first step, else how many steps `value` has come up."""
    return sum(value >= step for step in steps)


def clock(at: datetime, timezone: str) -> str:
    """Return the time of day with seconds on the clocks of `timezone`, like 14:03:22."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%H:%M:%S")


def minute(at: datetime, timezone: str) -> str:
    """Return the time of day like 14:03."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%H:%M")


def day(at: datetime, timezone: str) -> str:
    """Return the date like Sat 21 Nov 2026."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local:%a} {local.day} {local:%b %Y}"


def utc_iso(at: datetime) -> str:
    """Return a time as machines read it, for <time datetime>."""
    return at.astimezone(ZoneInfo("UTC")).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def zone_abbreviation(at: datetime, timezone: str) -> str:
    """Return what the clocks of `timezone` follow at that time, like CET; its name where it has no letters."""
    name = at.astimezone(ZoneInfo(timezone)).strftime("%Z")
    return name if name.isalpha() else f"UTC{name}"


def dwell(seconds: float) -> str:
    """Return a length of time like 42 s, 4 min 12 s or 1 h 04 min."""
    whole = int(max(0.0, seconds) + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = (whole + 30) // 60
    return f"{minutes // 60} h {minutes % 60:02d} min"


def dwell_range(at_least_s: float, at_most_s: float) -> str:
    """Return bounds in the unit of the larger one, like 38 to 46 s, 3:58 to 4:30 min or 1:04 to 1:09 h."""
    low, high = int(max(0.0, at_least_s) + 0.5), int(max(0.0, at_most_s) + 0.5)
    if high < 60:
        return f"{low} to {high} s"
    if high < 3600:
        return f"{low // 60}:{low % 60:02d} to {high // 60}:{high % 60:02d} min"
    low, high = (low + 30) // 60, (high + 30) // 60
    return f"{low // 60}:{low % 60:02d} to {high // 60}:{high % 60:02d} h"


def per_cent(share: float) -> str:
    """Return a share of 0..1 in whole per cent; only certainty itself reads 100 %."""
    whole = int(share * 100 + 0.5)
    return f"{min(whole, 99) if share < 1 else 100}%"


def ratio(change: float) -> str:
    """Return a ratio as a change in whole per cent."""
    percent = round((change - 1) * 100)
    return f"{abs(percent)}% {'longer' if percent > 0 else 'shorter'}" if percent else "none"


def points(change: float) -> str:
    """Return a difference of two shares in points of a hundred."""
    return f"{round(change * 100):+d} points" if round(change * 100) else "none"


def people(count: int) -> str:
    """Return a count with its noun."""
    return f"{count} person" if count == 1 else f"{count} people"


def steps_words(steps: tuple[int, ...]) -> list[str]:
    """Return what each step from empty to the last stands for, like 0, 1-2, 3-5, …, 25+."""
    words = ["0"] if steps[0] == 1 else [f"0{_TO}{steps[0] - 1}"]
    for low, high in pairwise(steps):
        words.append(str(low) if high == low + 1 else f"{low}{_TO}{high - 1}")
    return [*words, f"{steps[-1]}+"]


def dwell_steps_words() -> list[str]:
    """Return what each step of DWELL_STEPS_S stands for."""
    return [f"under {dwell_short(DWELL_STEPS_S[0])}", *(f"from {dwell_short(step)}" for step in DWELL_STEPS_S)]


def dwell_short(seconds: int) -> str:
    """Return a round length of time like 30 s or 7 min."""
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"


def ago(length: timedelta) -> str:
    """Return how long ago like 2 s ago; nothing lies in the future."""
    return f"{dwell(length.total_seconds())} ago"


ROLE: Final = {
    "operations": "counts of stores: visits, dwell, flow, live occupancy; nobody in particular",
    "crm": "customers who consented: journeys, notes, follow-ups, memory, cues",
    "privacy": "consent, identity, erasure, exports, audit",
    "admin": "people, keys, plans, fleet, webhooks; no customer by itself",
    "edge": "programs that only send: customers, events, app installations",
}
_BROWSERS: Final = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser(agent: str) -> str:
    """Return what a person calls a browser, from what it says of itself."""
    name = next((label for word, label in _BROWSERS if word in agent), "A browser")
    system = next((label for word, label in _SYSTEMS if word in agent), "")
    return f"{name} on {system}" if system else name


ERASURE_STATE: Final = {"waiting": "Waits", "running": "Under way", "done": "Done"}
ERASURE_SOURCE: Final = {
    "request": "On request",
    "retention": "Consent ended long ago",
    "restored": "Came back with a backup",
}
