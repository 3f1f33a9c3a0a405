"""Minew G1 and its kin: an array of objects (JSON) or one frame of bytes (binary-long) an interval.

Source: reelyActive's barnowl-minew, which runs with these gateways: `jsonlongpacketdecoder`, `jsonrawpacketdecoder`,
`binarypacketdecoder`. Its two versions disagree on the level in the binary frame (a byte less 275, or a signed one);
the sample in its own test is right with the signed one alone, so that is what is read here. Nobody has tried this
with a gateway of ours.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from core.errors import InputError
from edge.gateways.heard import (
    MOST_HEARD,
    Heard,
    Hex,
    Text,
    Translation,
    address_of,
    gateway_id,
    hexadecimal,
    read_entries,
    read_json,
    sent_by,
)

_HEAD: Final = b"\xbb\x01"
_TAIL: Final = 0xDD
_FIRST: Final = 14
_RANDOM: Final = 0x06  # bits of the word between advertisement and level


class _Entry(msgspec.Struct):
    mac: Text
    rssi: float | None = None
    rawData: Hex | None = None  # noqa: N815  # as the gateway spells it
    timestamp: Text | int | None = None


def translate(_topic: str, payload: bytes) -> Translation:
    """Translate one message, whichever of the two it is."""
    return _binary(payload) if payload[:1] == _HEAD[:1] else _json(payload)


def _json(payload: bytes) -> Translation:
    entries = read_json(payload, list[dict[str, Any]])
    first = entries[0] if entries else {}
    named = first.get("gateway", first.get("mac") if first.get("type") == "Gateway" else None)
    if not isinstance(named, str):
        raise InputError("The first entry does not name a gateway.")
    gateway = gateway_id(named)
    return read_entries(entries[1:], _Entry, lambda entry: [_reading(gateway, entry)])


def _reading(gateway: str, entry: _Entry) -> Heard:
    address = address_of(entry.mac)
    if address is None:
        raise InputError("This is no address.")
    payload = None if entry.rawData is None else hexadecimal(entry.rawData)
    advertisement, told = sent_by(address, payload=payload)
    return Heard(gateway, advertisement, entry.rssi, _seconds(entry.timestamp), told)


def _seconds(stamp: str | int | None) -> float | None:
    if isinstance(stamp, str):
        return datetime.fromisoformat(stamp).timestamp()
    return None if stamp is None else stamp / 1000


def _binary(frame: bytes) -> Translation:
    """Read a binary-long frame; one that is cut short or names other lengths than it has is refused as a whole."""
    if len(frame) <= _FIRST or frame[:2] != _HEAD or int.from_bytes(frame[2:6]) != len(frame) or frame[-1] != _TAIL:
        raise InputError("This is no binary-long frame.")
    gateway, at, heard = frame[6:12].hex(), _FIRST, list[Heard]()
    for _ in range(int.from_bytes(frame[12:14])):
        address, packets = frame[at : at + 6], int.from_bytes(frame[at + 6 : at + 8])
        at += 8
        for _ in range(packets):
            end = at + 1 + (frame[at] if at < len(frame) else 0)
            if end + 2 >= len(frame):  # the tail stands behind
                raise InputError("A binary-long frame is cut short.")
            advertisement, _ = sent_by(address, random=bool(frame[end] & _RANDOM), payload=frame[at + 1 : end])
            heard.append(Heard(gateway, advertisement, int.from_bytes(frame[end + 1 : end + 2], signed=True)))
            at = end + 2
            if len(heard) > MOST_HEARD:
                raise InputError("A binary-long frame has too many readings.")
    if at != len(frame) - 1:
        raise InputError("A binary-long frame has more than it says.")
    return Translation(heard)
