"""Findings for a person at a terminal, or as JSON for a program."""

from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from doctor.findings import Finding, State, worst

_MARKS: Final[dict[State, tuple[str, str]]] = {
    "ok": ("✓ ok", "green"),
    "warn": ("! warn", "yellow"),
    "fail": ("✗ fail", "bold red"),
}
_LAST: Final[dict[State, str]] = {
    "ok": "All is well.",
    "warn": "It works; look at the warnings.",
    "fail": "Something does not work.",
}


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print a line for each finding, with what to do under it."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        mark, style = _MARKS[finding.state]
        says = Text(finding.says)
        if finding.do:
            says.append(f"\n→ {finding.do}", style="cyan")
        table.add_row(Text(mark, style=style), Text(finding.what), says)
    console.print(table)
    state = worst(findings)
    console.print(Text(f"\n{_LAST[state]}", style=_MARKS[state][1]))


def as_json(findings: Sequence[Finding]) -> str:
    """Return one JSON object with the worst state and every finding."""
    return msgspec.json.format(msgspec.json.encode({"state": worst(findings), "findings": findings})).decode()
