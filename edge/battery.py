"""How full the battery of this machine is, where it has one: a tablet, a Raspberry Pi with a battery board."""

from contextlib import suppress
from pathlib import Path
from typing import Final

SUPPLIES: Final = Path("/sys/class/power_supply")
"""Source: Linux, Documentation/ABI/testing/sysfs-class-power: `type` Battery, `scope` Device for a mouse's,
`capacity` in percent."""


def battery_percent(supplies: Path = SUPPLIES) -> int | None:
    """Return the charge of the emptiest battery of the machine itself (0..100), None if it has none."""
    found = []
    with suppress(OSError):
        for supply in supplies.iterdir():
            if _said(supply, "type") == "Battery" and _said(supply, "scope") != "Device":
                charge = _said(supply, "capacity")
                if charge.isascii() and charge.isdigit() and int(charge) <= 100:
                    found.append(int(charge))
    return min(found, default=None)


def _said(supply: Path, name: str) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return (supply / name).read_text("ascii").strip()
    return ""
