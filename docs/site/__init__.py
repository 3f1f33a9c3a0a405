"""The documentation as a site: `make docs`. Markdown stays as a forge shows it; what differs is made here."""
