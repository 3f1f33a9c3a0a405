"""ESPresense: one JSON object a reading, on `espresense/devices/{device}/{room}`; the room is the gateway.

Source: github.com/ESPresense/ESPresense and messages that its users have published. It makes an id of what it hears:
`iBeacon:{uuid}-{major}-{minor}` is read; ids of other kinds are its own fingerprints, behind which only the
address counts. Its `rssi` is smoothed, so a level here is calmer than one of an adapter.
"""

import re
from typing import Final

import msgspec

from core.errors import InputError
from edge.gateways.heard import Heard, Text, Translation, address_of, read_json, sent_by
from edge.gateways.openmqttgateway import ibeacon

_IBEACON: Final = re.compile(r"iBeacon:([0-9A-Fa-f-]{32,36})-([0-9]{1,5})-([0-9]{1,5})")


class _Message(msgspec.Struct):
    rssi: float | None = None
    id: Text | None = None
    mac: Text | None = None


def translate(topic: str, payload: bytes) -> Translation:
    """Translate one message."""
    parts = topic.split("/")
    if len(parts) < 4 or parts[-3] != "devices":
        raise InputError("The topic is not of ESPresense.")
    said = read_json(payload, _Message)
    name = said.id if said.id is not None else parts[-2]
    advertisement, told = sent_by(None if said.mac is None else address_of(said.mac))
    found = _IBEACON.fullmatch(name)
    if found is not None:
        advertisement = advertisement._replace(read=(ibeacon(found[1], int(found[2]), int(found[3])),))
    return Translation([Heard(parts[-1], advertisement, said.rssi, None, told)])
