"""raddec, the JSON of reelyActive's Pareto Anywhere: who was heard, by which receivers, how loud.

Source: github.com/reelyactive/raddec, README. A packet is a link-layer advertising PDU in hexadecimal digits.
"""

from typing import Annotated, Any

import msgspec

from core.advertisement import read_pdu
from core.errors import InputError
from edge.gateways.heard import (
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

_EUI48, _RND48 = 2, 3


class _Decoding(msgspec.Struct):
    receiverId: Text  # noqa: N815  # as raddec spells it
    rssi: float | None = None


class _Raddec(msgspec.Struct):
    transmitterId: Text  # noqa: N815
    transmitterIdType: int  # noqa: N815
    rssiSignature: Annotated[list[_Decoding], msgspec.Meta(max_length=256)]  # noqa: N815
    packets: Annotated[list[Hex], msgspec.Meta(max_length=64)] = []
    timestamp: float | None = None


def translate(_topic: str, payload: bytes) -> Translation:
    """Translate one message: a raddec, or an array of them."""
    if payload.lstrip()[:1] == b"[":
        return read_entries(read_json(payload, list[dict[str, Any]]), _Raddec, _readings)
    return read_entries([read_json(payload, dict[str, Any])], _Raddec, _readings)


def _readings(raddec: _Raddec) -> list[Heard]:
    address = address_of(raddec.transmitterId)
    if address is None:
        raise InputError("This transmitter is not of Bluetooth.")
    random = {_EUI48: False, _RND48: True}.get(raddec.transmitterIdType)
    advertisement, told = sent_by(address, random=random)
    made, service = dict[int, bytes](), dict[str, bytes]()
    for packet in raddec.packets:
        pdu = read_pdu(hexadecimal(packet))
        if pdu is not None:
            made |= pdu.manufacturer_data
            service |= pdu.service_data
    advertisement = advertisement._replace(manufacturer_data=made, service_data=service)
    at_s = None if raddec.timestamp is None else raddec.timestamp / 1000
    return [
        Heard(gateway_id(decoding.receiverId), advertisement, decoding.rssi, at_s, told)
        for decoding in raddec.rssiSignature
    ]
