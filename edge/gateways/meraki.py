"""Meraki's scanning (location) API, version 3: one POST a network, radio and minute; Bluetooth is read, Wi-Fi is not.

Source: developer.cisco.com/meraki/scanning-api (3-0, bluetooth-scanning). Levels are dBm there (version 2 gave Wi-Fi
levels 95 higher; it is refused). The cloud sends what access points heard in the minute before, so a signal is up
to two minutes late and their clocks are Meraki's: only differences inside one message count.
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from core.advertisement import Advertisement
from core.beacon_frames import Frame
from core.errors import InputError
from edge.gateways.heard import Heard, Text, Translation, address_of, gateway_id, read_entries, read_json, sent_by
from edge.gateways.openmqttgateway import ibeacon

_MOST_OBSERVATIONS: Final = 20_000
_MINUTE_LOCATIONS: Final = 64
_Level = float | Text | None


class _Record(msgspec.Struct):
    apMac: Text  # noqa: N815  # as Meraki spells it
    rssi: _Level = None


class _Location(msgspec.Struct):
    time: Text | None = None
    rssiRecords: Annotated[list[_Record], msgspec.Meta(max_length=256)] = []  # noqa: N815


class _Latest(msgspec.Struct):
    time: Text | None = None
    nearestApMac: Text | None = None  # noqa: N815
    nearestApRssi: _Level = None  # noqa: N815


class _Beacon(msgspec.Struct):
    uuid: Text | None = None
    major: int | None = None
    minor: int | None = None
    bleType: Text | None = None  # noqa: N815


class _Observation(msgspec.Struct):
    clientMac: Text  # noqa: N815
    locations: Annotated[list[_Location], msgspec.Meta(max_length=_MINUTE_LOCATIONS)] = []
    latestRecord: _Latest | None = None  # noqa: N815
    bleBeacons: Annotated[list[_Beacon], msgspec.Meta(max_length=64)] = []  # noqa: N815


class _Data(msgspec.Struct):
    observations: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=_MOST_OBSERVATIONS)]


class _Message(msgspec.Struct):
    version: str | float
    type: str
    data: _Data
    secret: str = ""


def secret_of(payload: bytes) -> str:
    """Return the shared secret that a message carries; empty if it has none."""
    return read_json(payload, _Message).secret


def translate(_topic: str, payload: bytes) -> Translation:
    """Translate one message; one of Wi-Fi says nothing of tags and has no readings."""
    said = read_json(payload, _Message)
    if not str(said.version).startswith("3"):
        raise InputError("This is not version 3 of Meraki's scanning API.", hint="Choose 3.0 in the dashboard.")
    if said.type != "Bluetooth":
        return Translation([])
    return read_entries(said.data.observations, _Observation, _readings)


def _readings(seen: _Observation) -> list[Heard]:
    address = address_of(seen.clientMac)
    if address is None:
        raise InputError("This is no address.")
    advertisement, told = sent_by(address)
    advertisement = advertisement._replace(read=tuple(_frames(seen.bleBeacons)))
    found = [
        Heard(gateway_id(record.apMac), advertisement, _level(record.rssi), _seconds(location.time), told)
        for location in seen.locations
        for record in location.rssiRecords
    ]
    return found or _latest(seen.latestRecord, advertisement, told=told)


def _latest(latest: _Latest | None, advertisement: Advertisement, *, told: bool) -> list[Heard]:
    if latest is None or latest.nearestApMac is None:
        return []
    level = _level(latest.nearestApRssi)
    return [Heard(gateway_id(latest.nearestApMac), advertisement, level, _seconds(latest.time), told)]


def _frames(beacons: list[_Beacon]) -> list[Frame]:
    return [
        ibeacon(beacon.uuid, beacon.major, beacon.minor)
        for beacon in beacons
        if beacon.uuid is not None and beacon.major is not None and beacon.minor is not None
    ]


def _level(level: float | str | None) -> float | None:
    return None if level is None else float(level)


def _seconds(stamp: str | None) -> float | None:
    return None if stamp is None else datetime.fromisoformat(stamp).timestamp()
