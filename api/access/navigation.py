"""What somebody may open, for templates: the sections of the site, and whether a link leads anywhere."""

from dataclasses import dataclass
from typing import Final

from api.access.asking import asking_now
from api.access.table import may_open as may_be_opened


@dataclass(frozen=True)
class Section:
    """A link of the main navigation; `asks` is the page of the table that has to be open for it to be shown."""

    word: str
    path: str
    label: str
    asks: str


_SECTIONS: Final = (
    Section("stores", "/", "Stores", "/stores/{store}"),
    Section("profiles", "/profiles", "Profiles", "/profiles"),
    Section("journey-map", "/journey-map", "Journey map", "/journey-map"),
    Section("identity", "/identity", "Identity", "/identity"),
    Section("notes", "/notes", "Notes", "/notes"),
    Section("follow-ups", "/follow-ups", "Follow-ups", "/follow-ups"),
    Section("formulas", "/formulas", "Formulas", "/formulas"),
    Section("fleet", "/fleet", "Fleet", "/fleet"),
    Section("privacy", "/privacy", "Privacy", "/privacy"),
    Section("audit", "/audit", "Audit", "/audit"),
    Section("webhooks", "/webhooks", "Webhooks", "/webhooks"),
    Section("people", "/people", "People", "/people"),
    Section("api-keys", "/api-keys", "API keys", "/api-keys"),
)


def may_open(path: str) -> bool:
    """Return whether whoever is served may open a page, by its path as the table has it."""
    principal = asking_now().principal
    return principal is not None and may_be_opened(principal, path)


def sections() -> list[Section]:
    """Return the sections that whoever is served may open."""
    return [section for section in _SECTIONS if may_open(section.asks)]


def section_of(path: str) -> str:
    """Return the word of the section that an address belongs to."""
    return next((one.word for one in _SECTIONS if one.path != "/" and path.startswith(one.path)), "stores")
