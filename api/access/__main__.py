"""Writes the table of routes into docs/access.md: `python -m api.access`."""

from pathlib import Path

from api.access.table import as_markdown

_HEADING = "## Every route\n\n"

if __name__ == "__main__":
    page = Path("docs/access.md")
    head, found, _ = page.read_text().partition(_HEADING)
    page.write_text(head + found + as_markdown())
