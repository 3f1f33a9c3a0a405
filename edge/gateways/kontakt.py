"""Kontakt.io: an array of what gateways hear, as its presence stream has it.

Source: messages of `/presence/stream/{gateway}` that a user has published with timestamp (s), sourceId, trackingId
and rssi. Kontakt's own page on it needs an account, so no more than those four is read. A trackingId is the id of
one of the account's beacons (`kontakt::{id}`), or the address of a stranger, to whom the rules of addresses apply.
"""

from typing import Annotated, Any

import msgspec

from core.beacon_frames import Frame
from edge.gateways.heard import Heard, Text, Translation, address_of, gateway_id, read_entries, read_json, sent_by


class _Entry(msgspec.Struct):
    sourceId: Text  # noqa: N815  # as Kontakt spells it
    trackingId: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9:-]{1,64}$")]  # noqa: N815
    rssi: float | None = None
    timestamp: float | None = None


def translate(_topic: str, payload: bytes) -> Translation:
    """Translate one message."""
    return read_entries(read_json(payload, list[dict[str, Any]]), _Entry, lambda entry: [_reading(entry)])


def _reading(entry: _Entry) -> Heard:
    address = address_of(entry.trackingId)
    advertisement, told = sent_by(address)
    if address is None:
        advertisement = advertisement._replace(read=(Frame("kontakt", "", entry.trackingId.lower()),))
    return Heard(gateway_id(entry.sourceId), advertisement, entry.rssi, entry.timestamp, told)
