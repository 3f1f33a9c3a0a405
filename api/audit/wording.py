"""What the page of the audit log says of an entry or a hint."""

from typing import Any, Final

from storage.audit.entries import AuditEntry
from storage.audit.hints import Unusual

_NAMES: Final = ("name", "source", "url", "template", "rule", "word", "kind", "store_no")
"""Columns that a setting is known by, the first that it has."""


def said(row: AuditEntry | Unusual) -> str:  # noqa: PLR0911 - one for each hint
    """Return what was done, or what is unusual, in one line."""
    if isinstance(row, AuditEntry):
        return _entry(row)
    match row.hint:
        case "many":
            return f"{row.count} profiles in an hour, usually {row.usual or 0:.0f}"
        case "listed":
            return f"{row.count:,} people in a day's lists, usually {row.usual or 0:,.0f}"
        case "night":
            return f"{row.count} {'look' if row.count == 1 else 'looks'}"
        case "again":
            return f"on {row.count} days"
        case "elsewhere":
            return f"{row.count} {'profile' if row.count == 1 else 'profiles'}"
        case "budget":
            return f"{row.count} refused"
        case "export":
            return "what is known of everybody" if row.count == 0 else f"{row.count} profiles"


def _entry(row: AuditEntry) -> str:
    if row.kind == "change":
        count = row.detail.get("rows", 0)
        done = {"insert": "added", "update": "changed", "delete": "removed"}.get(
            row.detail.get("change", ""), "changed"
        )
        table = row.fields[0].replace("_", " ")
        if "row" in row.detail:
            return f"{table}: {done} {_setting(row.detail)}"
        return f"{table}: {count} {'row' if count == 1 else 'rows'} {done}"
    return ", ".join(field.replace("_", " ").replace("-", " ") for field in row.fields)


def _setting(detail: dict[str, Any]) -> str:
    """Return which setting changed and how: new rights with those of before, of all else the names of the columns."""
    row, was = detail["row"], detail.get("was", {})
    parts = [next((str(row[name]) for name in _NAMES if row.get(name)), "a row")]
    if detail["change"] != "delete" and (roles := row.get("roles")) and ("roles" in was or "columns" not in detail):
        before = f" instead of {', '.join(was['roles']) or 'none'}" if "roles" in was else ""
        parts.append(f"roles {', '.join(roles)}{before}")
    parts += [name.replace("_", " ") for name in detail.get("columns", ()) if name != "roles"]
    return ", ".join(parts)
