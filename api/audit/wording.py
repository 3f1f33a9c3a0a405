"""What the page of the audit log says of an entry or a hint."""

from storage.audit.entries import AuditEntry
from storage.audit.hints import Unusual


def said(row: AuditEntry | Unusual) -> str:  # noqa: PLR0911 - one for each hint
    """Return what was done, or what is unusual, in one line."""
    if isinstance(row, AuditEntry):
        return _entry(row)
    match row.hint:
        case "many":
            return f"{row.count} profiles in an hour, usually {row.usual or 0:.0f}"
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
        return f"{row.fields[0].replace('_', ' ')}: {count} {'row' if count == 1 else 'rows'} {done}"
    return ", ".join(field.replace("_", " ").replace("-", " ") for field in row.fields)
