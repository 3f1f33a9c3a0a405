"""Every recorded advertisement gives the identity that its source expects, or the refusal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.advertisement import TILT, Advertisement, Identities, Rule, read_payload, read_pdu
from core.beacon_frames import read_telemetry
from core.bthome import read_bthome

pytestmark = pytest.mark.recordings

EVERY_FORMAT = (
    Rule(kind="ibeacon"),
    Rule(kind="altbeacon"),
    Rule(kind="eddystone_uid"),
    Rule(kind="eddystone_eid"),
    Rule(kind="eddystone_url"),
    Rule(kind="estimote"),
    Rule(kind="minew"),
)
SERVICE = "0000{}-0000-1000-8000-00805f9b34fb"
COUNTS = {
    "ad_payload": 13, "ad_payload_list": 72, "adv_pdu": 1, "manufacturer_004c": 2, "manufacturer_0639": 11,
    "manufacturer_data": 9, "service_data_fcd2": 49, "service_data_feaa": 5, "service_data_ffe1": 13,
}  # fmt: skip

Vector = dict[str, Any]


@pytest.fixture(scope="module")
def vectors(data: Path) -> dict[str, list[Vector]]:
    """Return the vectors by layer."""
    found: dict[str, list[Vector]] = {}
    for line in (data / "advertisement_vectors.jsonl").read_text("utf-8").splitlines():
        vector = json.loads(line)
        found.setdefault(vector["layer"], []).append(vector)
    return found


def test_no_vector_is_left_out(vectors: dict[str, list[Vector]]) -> None:
    assert {layer: len(rows) for layer, rows in vectors.items()} == COUNTS
    assert sum(COUNTS.values()) == 175


def expected_identity(layer: str, expect: Any) -> bytes | None:
    """Spell the identity that a source expects as ours are spelled, from its words alone."""
    if expect is None:
        return None
    if "uuid" in expect:
        return f"ibeacon:{expect['uuid'].replace('-', '')}:{expect['major']:04x}{expect['minor']:04x}".encode()
    if "namespace" in expect:
        return f"eddystone_uid:{expect['namespace']}:{expect['instance']}".encode()
    if "identifier" in expect:
        return f"estimote::{expect['identifier']}".encode()
    url = expect.get("url", expect.get("uri") if layer == "service_data_feaa" else None)
    if url is not None:
        host, slash, path = url.removeprefix("https://").partition("/")
        return f"eddystone_url:https://{host}:{slash}{path}".encode()
    ids = expect.get("deviceIds")
    return None if ids is None else _from_device_ids(layer, ids)


def _from_device_ids(layer: str, ids: list[str]) -> bytes:
    parts = ids[0].split("/")
    if layer == "manufacturer_004c":
        return f"ibeacon:{parts[0]}:{parts[1]}{parts[2]}".encode()
    if layer == "manufacturer_0639":
        return f"minew::{parts[0]}".encode()
    if parts[1] == "0":  # advlib's mark of an id of unknown kind
        return f"eddystone_eid::{parts[0]}".encode()
    return f"eddystone_uid:{parts[0]}:{parts[1]}".encode()


def heard(vector: Vector) -> Advertisement | None:
    """Return what a radio would hand over of a vector."""
    layer, given = vector["layer"], vector["hex"]
    if layer == "ad_payload":
        return read_payload(bytes.fromhex(given))
    if layer == "ad_payload_list":
        return read_payload(b"".join(bytes.fromhex(part) for part in given))
    if layer == "adv_pdu":
        return read_pdu(bytes.fromhex(given))
    if layer == "manufacturer_data":
        made = {int(company): bytes.fromhex(part) for company, part in given.items()}
        return Advertisement(None, False, made, {})
    kind, _, number = layer.rpartition("_")
    if kind == "manufacturer":
        return Advertisement(None, False, {int(number, 16): bytes.fromhex(given)}, {})
    return Advertisement(None, False, {}, {SERVICE.format(number): bytes.fromhex(given)})


@pytest.mark.parametrize("layer", [layer for layer in COUNTS if layer != "ad_payload_list"])
def test_each_vector_names_whom_its_source_names(layer: str, vectors: dict[str, list[Vector]]) -> None:
    identities = Identities((*TILT, *EVERY_FORMAT))
    for vector in vectors[layer]:
        found = heard(vector)
        who = None if found is None else identities.of(found)
        assert who == expected_identity(layer, vector["expect"]), vector


def test_payloads_come_apart_as_expected_and_only_the_ibeacon_among_them_names_somebody(
    vectors: dict[str, list[Vector]],
) -> None:
    identities = Identities(EVERY_FORMAT)
    named = []
    for vector in vectors["ad_payload_list"]:
        found, expect = heard(vector), vector["expect"]
        assert found is not None
        assert found.name == expect["local_name"], vector
        assert found.power_dbm == expect["tx_power"], vector
        assert list(found.service_uuids) == expect["service_uuids"], vector
        assert {str(key): part.hex() for key, part in found.manufacturer_data.items()} == expect["manufacturer_data"]
        assert {key: part.hex() for key, part in found.service_data.items()} == expect["service_data"]
        who = identities.of(found)
        if who is not None:
            named.append(who)
    assert named == [b"ibeacon:d546df97475747efbe093e2dcbdd0c77:1536cdc9"]


def test_eddystone_telemetry_is_read(vectors: dict[str, list[Vector]]) -> None:
    rows = [row for row in vectors["ad_payload"] if row["expect"] and row["expect"]["frame"] == "EddystoneTLMFrame"]
    assert len(rows) == 2
    for row in rows:
        found, expect = heard(row), row["expect"]
        assert found is not None
        said = read_telemetry(found.service_data)
        assert said is not None
        assert (said.battery_mv, said.temperature_c) == (expect["voltage"], expect["temperature"])
        assert said.advertisements == expect["advertising_count"]
        # the source's field is called seconds but holds the frame's tenths (Eddystone-TLM, SEC_CNT)
        assert said.uptime_s == expect["seconds_since_boot"] / 10


G = 9.80665
SAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "relativeHumidity": ("humidity_percent", float),
    "temperature": ("temperature_c", float),
    "txCycle": ("packet_id", int),
    "batteryPercentage": ("battery_percent", int),
    "pressure": ("pressure_hpa", lambda pascal: pascal / 100),
    "energy": ("energy_kwh", float),
    "power": ("power_w", float),
    "voltage": ("voltage_v", float),
    "pm2.5": ("pm2_5_ug_m3", int),
    "pm10": ("pm10_ug_m3", int),
    "carbonDioxideConcentration": ("co2_ppm", int),
    "count": ("count", int),
    "angleOfRotation": ("rotation_deg", float),
    "distance": ("distance_mm", lambda metres: metres * 1000),
    "duration": ("duration_s", lambda milliseconds: milliseconds / 1000),
    "amperage": ("current_a", float),
    "text": ("text", str),
    "raw": ("raw", bytes.fromhex),
    "heading": ("direction_deg", float),
    "speed": ("speed_m_s", float),
    "deviceType": ("device_type", int),
}
"""The source's words beside ours, where the unit differs with the way from one to the other."""


def test_bthome_readings_are_those_expected(vectors: dict[str, list[Vector]]) -> None:
    compared = 0
    for row in vectors["service_data_fcd2"]:
        said = read_bthome(bytes.fromhex(row["hex"]))
        assert said is not None
        assert not said.encrypted
        assert said.readings, row
        found = dict(said.readings)
        for word, value in row["expect"].items():
            if word in SAYS:
                name, ours = SAYS[word]
                assert found[name] == pytest.approx(ours(value)), row
                compared += 1
    assert compared == 32


def test_bthome_readings_of_several_units_and_of_switches(vectors: dict[str, list[Vector]]) -> None:
    by_name = {row["name"]: row for row in vectors["service_data_fcd2"]}

    def readings(name: str) -> list[tuple[str, Any]]:
        said = read_bthome(bytes.fromhex(by_name[f"INPUT_DATA_{name}"]["hex"]))
        assert said is not None
        return list(said.readings)

    expect = by_name["INPUT_DATA_TEMPERATURES"]["expect"]["temperatures"]
    assert [value for _, value in readings("TEMPERATURES")] == pytest.approx(expect)
    assert readings("ROTATIONAL_SPEED") == [("rotational_speed_rpm", 3500)]  # 21,000 degrees a second
    assert readings("ACCELERATION_51")[0][1] / G == pytest.approx(2.258773383367409)
    assert readings("ACCELERATION_63") == [("acceleration_m_s2", -3.123456)]
    assert readings("GYROSCOPE") == [("gyroscope_deg_s", 22.151)]
    assert readings("FIRMWARE_F2") == [("firmware", 0x060100)]
    assert readings("BUTTON") == [("button", 2)]
    for name in ("OPENING", "DOOR"):  # closed is contact
        assert readings(name)[0][1] == 0
    for name, on in {
        "WINDOW": 1, "CARBON_MONOXIDE": 0, "GAS": 1, "LIGHT": 1, "MOVING": 1, "PRESENCE": 0, "SMOKE": 1, "TAMPER": 0,
        "VIBRATION": 1,
    }.items():  # fmt: skip
        assert readings(name)[0][1] == on
