"""Beacon formats: the bytes of one frame in, who it names out. A frame that breaks its format names nobody.

Sources: Apple's Proximity Beacon Specification R1; github.com/google/eddystone; AltBeacon 1.0; Estimote's
public parsers (Nearable, Telemetry); Minew's frames as reelyactive's advlib has them. Kontakt.io's own are told
by its gateways alone (`edge.gateways.kontakt`).

Readers of our own: each is a length, a prefix and two slices. beacontools, the library that has most of them, was
last released in 2022, takes AltBeacon and iBeacon from raw payloads alone (BlueZ gives none) and raises on damage.
"""

import struct
from typing import Final, Literal, NamedTuple

FrameKind = Literal[
    "ibeacon", "altbeacon", "eddystone_uid", "eddystone_eid", "eddystone_url", "estimote", "minew", "kontakt"
]  # fmt: skip

_APPLE: Final = 0x004C
_ESTIMOTE: Final = 0x015D
_MINEW: Final = 0x0639
_EDDYSTONE_SERVICE: Final = "0000feaa-0000-1000-8000-00805f9b34fb"
_ESTIMOTE_SERVICE: Final = "0000fe9a-0000-1000-8000-00805f9b34fb"
_IBEACON_BYTES: Final = 23  # type, length, UUID, major, minor, power
_ALTBEACON_BYTES: Final = 24  # code, id of 20 bytes, power, reserved
_NEARABLE_BYTES: Final = 20
_TELEMETRY_BYTES: Final = 20

_URL_SCHEMES: Final = (b"http://www.", b"https://www.", b"http://", b"https://")
_URL_WORDS: Final = tuple(
    f".{name}{end}".encode() for end in ("/", "") for name in ("com", "org", "edu", "net", "info", "biz", "gov")
)
_URL_CHARACTERS: Final = range(0x21, 0x7F)
_MINEW_ADDRESS_AT: Final = {
    b"\xa3\x01": 12, b"\xa3\x03": 7, b"\xa4\x00": 10, b"\xa4\x01": 7, b"\xca\x00": 2, b"\xca\x1b": 6,
}  # fmt: skip


class Frame(NamedTuple):
    """Who a frame names."""

    kind: FrameKind
    namespace: str
    """What the owner gave to all its beacons: hexadecimal digits, or scheme and host of a URL. Empty where the format
    has none."""
    instance: str
    """Which of them."""
    power_dbm: int | None = None
    """The level that the sender claims, at 1 m (iBeacon, AltBeacon) or at 0 m (Eddystone)."""


class Telemetry(NamedTuple):
    """What an Eddystone-TLM frame says about its sender; None where the sender does not measure."""

    battery_mv: int | None
    temperature_c: float | None
    advertisements: int
    """Sent since power-up."""
    uptime_s: float


def frames(manufacturer_data: dict[int, bytes], service_data: dict[str, bytes]) -> list[Frame]:
    """Return who the frames of one advertisement name; usually one or none.

    Parameters
    ----------
    manufacturer_data : dict
        By company id.
    service_data : dict
        By UUID as 36 lower-case characters.
    """
    found = []
    for company, data in manufacturer_data.items():
        found.append(_from_manufacturer(company, data))
    for uuid, data in service_data.items():
        if uuid == _EDDYSTONE_SERVICE:
            found.append(_eddystone(data))
        elif uuid == _ESTIMOTE_SERVICE:
            found.append(_estimote_telemetry(data))
    return [frame for frame in found if frame is not None]


def read_telemetry(service_data: dict[str, bytes]) -> Telemetry | None:
    """Return what a plain Eddystone-TLM frame says, None if there is none; an encrypted one cannot be read."""
    data = service_data.get(_EDDYSTONE_SERVICE, b"")
    if len(data) < 14 or data[:2] != b"\x20\x00":
        return None
    battery, temperature, count, tenths = struct.unpack(">HhII", data[2:14])
    return Telemetry(
        battery_mv=battery if battery != 0 else None,  # 0 and -128.0: not supported
        temperature_c=temperature / 256 if temperature != -0x8000 else None,
        advertisements=count,
        uptime_s=tenths / 10,
    )


def _from_manufacturer(company: int, data: bytes) -> Frame | None:
    if company == _APPLE and data[:2] == b"\x02\x15":
        return _ibeacon(data)
    if data[:2] == b"\xbe\xac":
        return _altbeacon(data)
    if company == _ESTIMOTE and data[:1] == b"\x01" and len(data) >= _NEARABLE_BYTES:
        return Frame("estimote", "", data[1:9].hex())
    if company == _MINEW:
        return _minew(data)
    return None


def _ibeacon(data: bytes) -> Frame | None:
    if len(data) < _IBEACON_BYTES:
        return None
    return Frame("ibeacon", data[2:18].hex(), data[18:22].hex(), _signed(data[22]))


def _altbeacon(data: bytes) -> Frame | None:
    if len(data) < _ALTBEACON_BYTES:
        return None
    # the format leaves open how its 20 bytes are divided; 16 and 4, as in iBeacon, is what its own library does
    return Frame("altbeacon", data[2:18].hex(), data[18:22].hex(), _signed(data[22]))


def _eddystone(data: bytes) -> Frame | None:
    if len(data) < 2:
        return None
    power_dbm = _signed(data[1])
    if data[0] == 0x00 and len(data) >= 18:
        return Frame("eddystone_uid", data[2:12].hex(), data[12:18].hex(), power_dbm)
    if data[0] == 0x30 and len(data) >= 10:
        return Frame("eddystone_eid", "", data[2:10].hex(), power_dbm)
    if data[0] == 0x10:
        url = _url(data[2:])
        if url is not None:
            return Frame("eddystone_url", url[0], url[1], power_dbm)
    return None


def _url(data: bytes) -> tuple[str, str] | None:
    """Spell an Eddystone URL out: scheme with host, and path."""
    if len(data) < 2 or data[0] >= len(_URL_SCHEMES):
        return None
    scheme = _URL_SCHEMES[data[0]]
    spelled = b""
    for byte in data[1:]:
        if byte < len(_URL_WORDS):
            spelled += _URL_WORDS[byte]
        elif byte in _URL_CHARACTERS:
            spelled += bytes([byte])
        else:
            return None  # reserved
    host, slash, path = spelled.decode("ascii").partition("/")
    return scheme.decode("ascii") + host, slash + path


def _estimote_telemetry(data: bytes) -> Frame | None:
    if len(data) < _TELEMETRY_BYTES or data[0] & 0x0F != 0x02:
        return None
    return Frame("estimote", "", data[1:9].hex())


def _minew(data: bytes) -> Frame | None:
    at = _MINEW_ADDRESS_AT.get(data[:2])
    if at is None or len(data) < at + 6:
        return None
    return Frame("minew", "", data[at : at + 6][::-1].hex())


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
