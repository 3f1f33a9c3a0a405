"""What the audit log calls a look by each route; whom it was at say the rows themselves (storage.audit.seen)."""

from typing import Final

from core.audit.words import KindWord

EXPORTS: Final = frozenset(
    {
        "/v1/exports/{what}",
        "/notes.csv",
        "/follow-ups.csv",
        "/notes-counts.csv",
        "/notes/reports.csv",
        "/v1/profiles/{profile}/access-export",
    }
)
"""Files that leave the house."""
EVERYBODY: Final = frozenset({"/v1/exports/{what}"})
"""Of these everybody is read while the file is sent: entered as such, before the first byte."""
CARD: Final = "/card"
"""The card of one profile; which one says the ticket in its form."""
READ_BY_POST: Final = frozenset({"/v1/profiles/{profile}/messages", "/v1/profiles/{profile}/messages/preview", CARD})
"""Reads that send a body, also where the answer is a refusal that tells of somebody; other writes are entered by the
tables that they change."""
_OF_ONE: Final = ("{profile}", "{note}", "{follow_up}", "{alert}", "{delivery_no}")
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "/profiles/{profile}": ("profile", "consent", "journey", "visits", "understanding", "cue", "notes", "feelings"),
    "/v1/profiles/{profile}": ("profile", "consent", "whereabouts"),
    "/v1/profiles/{profile}/card": ("profile", "journey", "cue", "whereabouts"),
    CARD: ("profile", "journey", "cue", "whereabouts"),
    "/profiles/{profile}/consent": ("profile", "consent", "devices"),
}
"""What each shows where its path does not say it."""

BY_ID: Final = frozenset({"/audit", "/v1/audit", "/v1/profiles/{profile}/access-export"})
"""Lists, and a file, that say of whom they are by the profile that was named: nobody is found by them."""
LISTS: Final = frozenset(
    {
        "/profiles", "/v1/profiles", "/notes", "/v1/notes", "/notes.csv", "/v1/notes/over-time", "/v1/notes/counts",
        "/notes-counts.csv", "/notes/reports", "/notes/reports.csv", "/follow-ups", "/v1/follow-ups",
        "/follow-ups.csv", "/alerts", "/v1/alerts", "/identity", "/v1/identity/cases", "/stores/{store}/cues",
        "/v1/stores/{store}/cues", "/v1/stores/{store}/cues/live", "/v1/app/installations",
    }
)  # fmt: skip
"""Routes that find people: closed for the rest of the day to whoever was refused one, whatever it would find."""

COUNTS: Final[dict[str, str]] = {
    "/v1/journey-map": "counts of a segment, none below the disclosure limit",
    "/journey-map": "the same as a page",
    "/v1/segments": "live counts, none below the disclosure limit",
    "/v1/stores/{store}/cue-trials": "effects of a trial over both halves",
    "/v1/stores/{store}/metrics/{formula}": "shares of customers, none below the disclosure limit",
    "/v1/stores/{store}/heatmap": "how busy zones were",
    "/stores/{store}": "who is where now by number, figures of today by zone; single visits name no profile",
    "/stores/{store}/traffic": "figures of a store, customers among them as shares over the disclosure limit",
    "/stores/{store}/dwell": "the same",
    "/stores/{store}/flow": "the same",
    "/stores/{store}/compare": "the same",
    "/stores/{store}/today": "the same",
    "/stores/{store}/exclusions": "the same",
    "/stores/{store}/note-tags": "tags by zone, none below the disclosure limit",
    "/stores/{store}/note-tags.csv": "the same as a file",
    "/notes/feelings": "how right the suggested feelings were",
    "/v1/audit/hints": "who looked where it is unusual; profiles by their id alone",
    "/v1/notes/counts/leaving": "counts that may leave, none below the disclosure limit",
    "/v1/notes/feelings": "how right the suggested feelings were",
    "/v1/stores/{store}/note-tags": "tags by zone, none below the disclosure limit",
    "/v1/colleagues": "names of colleagues; of the customer of a note or alert it is only asked who may see her",
    "/notes/new": "the same, to choose from",
    "/v1/ready": "whether the rights of roles are as they should be, by the texts of their rules",
    "/v1/follow-ups/due-count": "how much is due for whoever asks",
    "/v1/webhooks/deliveries": "which event went where and when, and nothing of what it tells",
    "/webhooks": "the same as a page",
    "/v1/alert-rules": "how often each rule was right",
}
"""Routes that ask tables about people and answer with counts, each with what it counts."""


def kind_of(path: str) -> KindWord:
    """Return the kind of a look by the path of its route."""
    if path in EXPORTS:
        return "export"
    return "read" if path == CARD or any(part in path for part in _OF_ONE) else "list"


def parts_of(path: str) -> tuple[str, ...]:
    """Return which parts of a profile a route shows: as listed, or the last word of its path."""
    words = [word for word in path.split("/") if word and "{" not in word and word != "v1"]
    return _PARTS.get(path, (words[-1],) if words else ())
