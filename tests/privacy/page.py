"""The data map in docs/privacy.md, made of the registry; `python -m tests.privacy.page` writes it anew."""

from pathlib import Path
from typing import Final

from core.privacy.retention import KINDS
from storage.privacy.places import IMPERSONAL, NOT_REACHED, PLACES

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "privacy.md"
_BEGIN: Final = "<!-- data map -->\n"
_END: Final = "<!-- end of the data map -->\n"


def data_map() -> str:
    """Return the map as Markdown."""
    lines = ["| where | what | why | how long |", "|---|---|---|---|"]
    for place in PLACES:
        kept = f"{KINDS[place.kept].days} days" if place.kept in KINDS else place.kept
        lines.append(f"| `{place.table}` | {place.holds} | {place.why} | {kept} |")
    impersonal = ", ".join(f"`{table}` ({holds[:1].lower()}{holds[1:]})" for table, holds in IMPERSONAL.items())
    lines += ["", f"Nobody is in: {impersonal}.", "", "What no job can reach:", ""]
    return "\n".join([*lines, *(f"- {said}" for said in NOT_REACHED)]) + "\n"


def with_map(page: str) -> str:
    """Return a page with the map between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{data_map()}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_map(PAGE.read_text()))
