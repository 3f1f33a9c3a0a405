"""What BlueZ has to look for when it scans passively: rules as patterns of its advertisement monitor.

BlueZ wants to know before it tells. A pattern is where in an AD structure, of which type, which bytes; one that fits
is enough. It may fit more than the rule, which then refuses the rest.
"""

from collections.abc import Iterable
from typing import Final

from bleak.args.bluez import OrPattern
from bleak.assigned_numbers import AdvertisementDataType

from core.advertisement import Rule

_MANUFACTURER: Final = AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA
_SERVICE: Final = AdvertisementDataType.SERVICE_DATA_UUID16
_FLAGS: Final = AdvertisementDataType.FLAGS
_HEADS: Final = {
    "ibeacon": ((0, _MANUFACTURER, b"\x4c\x00\x02\x15"),),
    "altbeacon": ((2, _MANUFACTURER, b"\xbe\xac"),),
    "eddystone_uid": ((0, _SERVICE, b"\xaa\xfe\x00"),),
    "eddystone_eid": ((0, _SERVICE, b"\xaa\xfe\x30"),),
    "eddystone_url": ((0, _SERVICE, b"\xaa\xfe\x10"),),
    "estimote": ((0, _MANUFACTURER, b"\x5d\x01\x01"), (0, _SERVICE, b"\x9a\xfe")),
    "minew": ((0, _MANUFACTURER, b"\x39\x06"),),
}
_FLAG_VALUES: Final = (0x02, 0x04, 0x05, 0x06, 0x18, 0x1A)
"""What senders that may be found say of themselves: there is no pattern for `everybody`."""


def patterns(rules: Iterable[Rule]) -> list[OrPattern]:
    """Return the patterns that together fit whatever the rules take, each once."""
    found: dict[OrPattern, None] = {}
    for rule in rules:
        if rule.device == "none":
            continue
        for start, kind, head in _HEADS.get(rule.kind, ()):
            found[OrPattern(start, kind, head + _namespace(rule))] = None
        if rule.kind not in _HEADS:
            found |= dict.fromkeys(OrPattern(0, _FLAGS, bytes([value])) for value in _FLAG_VALUES)
    return list(found)


def _namespace(rule: Rule) -> bytes:
    """Return the namespace where it follows the head at once."""
    if rule.kind not in {"ibeacon", "altbeacon"}:
        return b""
    return bytes.fromhex(rule.namespace.replace("-", ""))
