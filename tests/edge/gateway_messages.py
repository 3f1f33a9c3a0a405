"""One sound message of each format, written here: a tag of ours near a gateway."""

import json
from typing import Final, NamedTuple

NAMESPACE: Final = "426c7565-4368-6172-6d42-6561636f6e73"
_UUID: Final = NAMESPACE.replace("-", "")
FRAME: Final = "4c000215" + _UUID + "00070009c5"
"""Manufacturer data of an iBeacon, company first."""
PAYLOAD: Final = "0201061aff" + FRAME
IDENTITY: Final = f"ibeacon:{_UUID}:00070009".encode()
TAG: Final = "C034F2AB0001"
GATEWAY: Final = "AC233FC02F87"


class Message(NamedTuple):
    """A message and its gateway's id."""

    form: str
    topic: str
    payload: bytes
    gateway: str
    level: int = -63


def minew_frame(*tags: tuple[str, list[tuple[bytes, int, int]]]) -> bytes:
    """Return a binary-long frame: address, and per packet its advertisement, word and level."""
    body = bytes.fromhex(GATEWAY) + len(tags).to_bytes(2)
    for address, packets in tags:
        body += bytes.fromhex(address) + len(packets).to_bytes(2)
        for payload, word, level in packets:
            body += bytes([len(payload)]) + payload + bytes([word, level & 0xFF])
    return b"\xbb\x01" + (len(body) + 7).to_bytes(4) + body + b"\xdd"


def _text(value: object) -> bytes:
    return json.dumps(value).encode()


MESSAGES: Final = (
    Message(
        "openmqttgateway", f"home/omg/BTtoMQTT/{TAG}",
        _text({"id": "C0:34:F2:AB:00:01", "mac_type": 1, "manufacturerdata": FRAME, "rssi": -63}), "omg",
    ),
    Message(
        "openmqttgateway", f"home/omg/BTtoMQTT/{TAG}",
        _text({"id": _UUID, "mac": "C0:34:F2:AB:00:01", "rssi": -63, "uuid": _UUID, "major": 7, "minor": 9}), "omg",
    ),
    Message(
        "espresense", f"espresense/devices/iBeacon:{NAMESPACE}-7-9/shoes",
        _text({"mac": TAG.lower(), "id": f"iBeacon:{NAMESPACE}-7-9", "rssi@1m": -59, "rssi": -63.4}), "shoes",
    ),
    Message(
        "minew", "gw/ac233fc02f87/status",
        _text([
            {"timestamp": "2026-01-05T09:30:00.000Z", "type": "Gateway", "mac": GATEWAY, "gatewayFree": 96},
            {"timestamp": "2026-01-05T09:30:00.250Z", "mac": TAG, "rssi": -63, "rawData": PAYLOAD},
        ]), "ac233fc02f87",
    ),
    Message("minew", "gw", minew_frame((TAG, [(bytes.fromhex(PAYLOAD), 6, -63)])), "ac233fc02f87"),
    Message(
        "raddec", "raddec",
        _text({
            "transmitterId": TAG.lower(), "transmitterIdType": 3, "timestamp": 1767605400250,
            "rssiSignature": [{"receiverId": "00-1b-c5-09-40-81-00-00", "receiverIdType": 1, "rssi": -63}],
            "packets": [f"4224{bytes.fromhex(TAG)[::-1].hex()}{PAYLOAD}"],
        }), "001bc50940810000",
    ),
    Message(
        "meraki", "",
        _text({
            "version": "3.0", "secret": "swordfish", "type": "Bluetooth",
            "data": {"networkId": "N_1", "observations": [{
                "clientMac": "c0:34:f2:ab:00:01", "name": "tag",
                "bleBeacons": [{"bleType": "ibeacon", "uuid": NAMESPACE, "major": 7, "minor": 9, "txPower": -59}],
                "locations": [{
                    "time": "2026-01-05T09:30:00Z", "rssiRecords": [{"apMac": "ac:23:3f:c0:2f:87", "rssi": -63}],
                }],
                "latestRecord": {
                    "time": "2026-01-05T09:30:00Z", "nearestApMac": "ac:23:3f:c0:2f:87", "nearestApRssi": -63,
                },
            }]},
        }), "ac233fc02f87",
    ),
)  # fmt: skip
KONTAKT: Final = Message(
    "kontakt", "/presence/stream/3cRCZ",
    _text([{"timestamp": 1767605400, "sourceId": "3cRCZ", "trackingId": "FJYX", "rssi": -63}]), "3cRCZ",
)  # fmt: skip
