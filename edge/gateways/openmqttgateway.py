"""OpenMQTTGateway and Theengs Gateway: one JSON object an advertisement, on `…/{gateway}/BTtoMQTT/{address}`.

Source: OpenMQTTGateway's `main/ZgatewayBT.ino` (what it puts into the object) and Theengs' decoder (what it adds).
The advertisement itself is there if the gateway was told to publish it (`pubadvdata`); else an iBeacon's numbers,
which the decoder adds, or the address alone.
"""

from typing import Final

import msgspec

from core.advertisement import Advertisement
from core.beacon_frames import Frame
from core.errors import InputError
from edge.gateways.heard import Heard, Hex, Text, Translation, address_of, hexadecimal, read_json, sent_by

_WORD: Final = "BTtoMQTT"
_SHORT_UUID: Final = "0000{}-0000-1000-8000-00805f9b34fb"


class _Message(msgspec.Struct):
    id: Text
    rssi: float | None = None
    mac: Text | None = None
    """Where `id` is told to be the UUID of a beacon."""
    mac_type: int | None = None
    """As NimBLE counts: 0 public, 1 random, 2 and 3 the same for resolved ones."""
    manufacturerdata: Hex | None = None
    servicedata: Hex | None = None
    servicedatauuid: Text | None = None
    uuid: Text | None = None
    major: int | None = None
    minor: int | None = None


def translate(topic: str, payload: bytes) -> Translation:
    """Translate one message."""
    parts = topic.split("/")
    if _WORD not in parts[1:]:
        raise InputError("The topic is not of OpenMQTTGateway.")
    said = read_json(payload, _Message)
    random = None if said.mac_type is None else said.mac_type % 2 == 1
    advertisement, told = sent_by(address_of(said.mac if said.mac is not None else said.id), random=random)
    advertisement = _with_data(advertisement, said)
    return Translation([Heard(parts[parts.index(_WORD) - 1], advertisement, said.rssi, None, told)])


def _with_data(advertisement: Advertisement, said: _Message) -> Advertisement:
    made, service = {}, {}
    if said.manufacturerdata is not None:
        data = hexadecimal(said.manufacturerdata)
        made = {int.from_bytes(data[:2], "little"): data[2:]}
    if said.servicedata is not None and said.servicedatauuid is not None:
        uuid = said.servicedatauuid.lower().removeprefix("0x")
        service = {uuid if len(uuid) == 36 else _SHORT_UUID.format(uuid): hexadecimal(said.servicedata)}
    read: tuple[Frame, ...] = ()
    if not made and said.uuid is not None and said.major is not None and said.minor is not None:
        read = (ibeacon(said.uuid, said.major, said.minor),)
    return advertisement._replace(manufacturer_data=made, service_data=service, read=read)


def ibeacon(uuid: str, major: int, minor: int) -> Frame:
    """Return the frame of an iBeacon whose numbers a gateway has read.

    Raises
    ------
    InputError
        If it has no such numbers.
    """
    digits = hexadecimal(uuid.replace("-", ""))
    if len(digits) != 16 or not 0 <= major < 65536 or not 0 <= minor < 65536:
        raise InputError("This is no iBeacon.")
    return Frame("ibeacon", digits.hex(), f"{major:04x}{minor:04x}")
