"""BTHome version 2: readings of sensors in service data FCD2. It names nobody; the sender's address does.

Source: https://bthome.io/format. A list of our own, because all that is needed is how long each object is and by what
it is divided; bthome-ble would bring Home Assistant's sensor classes along.
"""

from typing import Final, NamedTuple

_VERSION_2: Final = 2
_ENCRYPTED: Final = 0x01


class Objects(NamedTuple):
    """What one BTHome frame says."""

    encrypted: bool
    readings: tuple[tuple[str, float | str | bytes], ...]
    """Name and value in the order of the frame, in the unit of the name; empty where encrypted. Binary sensors are
    0 or 1."""


class _Number(NamedTuple):
    name: str
    size: int
    per: float = 1
    """The value is the raw number divided by this."""
    signed: bool = False


_BINARY: Final = {
    0x0F: "generic", 0x10: "power_on", 0x11: "opening", 0x15: "battery_low", 0x16: "battery_charging",
    0x17: "carbon_monoxide", 0x18: "cold", 0x19: "connectivity", 0x1A: "door", 0x1B: "garage_door",
    0x1C: "gas_detected", 0x1D: "heat", 0x1E: "light", 0x1F: "lock", 0x20: "wet", 0x21: "motion", 0x22: "moving",
    0x23: "occupancy", 0x24: "plug", 0x25: "presence", 0x26: "problem", 0x27: "running", 0x28: "safety",
    0x29: "smoke", 0x2A: "sound", 0x2B: "tamper", 0x2C: "vibration", 0x2D: "window",
}  # fmt: skip
_NUMBERS: Final = {
    0x00: _Number("packet_id", 1),
    0x01: _Number("battery_percent", 1),
    0x02: _Number("temperature_c", 2, 100, True),
    0x03: _Number("humidity_percent", 2, 100),
    0x04: _Number("pressure_hpa", 3, 100),
    0x05: _Number("illuminance_lx", 3, 100),
    0x06: _Number("mass_kg", 2, 100),
    0x07: _Number("mass_lb", 2, 100),
    0x08: _Number("dewpoint_c", 2, 100, True),
    0x09: _Number("count", 1),
    0x0A: _Number("energy_kwh", 3, 1000),
    0x0B: _Number("power_w", 3, 100),
    0x0C: _Number("voltage_v", 2, 1000),
    0x0D: _Number("pm2_5_ug_m3", 2),
    0x0E: _Number("pm10_ug_m3", 2),
    0x12: _Number("co2_ppm", 2),
    0x13: _Number("tvoc_ug_m3", 2),
    0x14: _Number("moisture_percent", 2, 100),
    0x2E: _Number("humidity_percent", 1),
    0x2F: _Number("moisture_percent", 1),
    0x3A: _Number("button", 1),
    0x3C: _Number("dimmer", 2),
    0x3D: _Number("count", 2),
    0x3E: _Number("count", 4),
    0x3F: _Number("rotation_deg", 2, 10, True),
    0x40: _Number("distance_mm", 2),
    0x41: _Number("distance_m", 2, 10),
    0x42: _Number("duration_s", 3, 1000),
    0x43: _Number("current_a", 2, 1000),
    0x44: _Number("speed_m_s", 2, 100),
    0x45: _Number("temperature_c", 2, 10, True),
    0x46: _Number("uv_index", 1, 10),
    0x47: _Number("volume_l", 2, 10),
    0x48: _Number("volume_ml", 2),
    0x49: _Number("volume_flow_m3_h", 2, 1000),
    0x4A: _Number("voltage_v", 2, 10),
    0x4B: _Number("gas_m3", 3, 1000),
    0x4C: _Number("gas_m3", 4, 1000),
    0x4D: _Number("energy_kwh", 4, 1000),
    0x4E: _Number("volume_l", 4, 1000),
    0x4F: _Number("water_l", 4, 1000),
    0x50: _Number("timestamp_s", 4),
    0x51: _Number("acceleration_m_s2", 2, 1000),
    0x52: _Number("gyroscope_deg_s", 2, 1000),
    0x55: _Number("volume_storage_l", 4, 1000),
    0x56: _Number("conductivity_us_cm", 2),
    0x57: _Number("temperature_c", 1, 1, True),
    0x58: _Number("temperature_c", 1, 1 / 0.35, True),
    0x59: _Number("count", 1, 1, True),
    0x5A: _Number("count", 2, 1, True),
    0x5B: _Number("count", 4, 1, True),
    0x5C: _Number("power_w", 4, 100, True),
    0x5D: _Number("current_a", 2, 1000, True),
    0x5E: _Number("direction_deg", 2, 100),
    0x5F: _Number("precipitation_mm", 2, 10),
    0x60: _Number("channel", 1),
    0x61: _Number("rotational_speed_rpm", 2),
    0x62: _Number("speed_m_s", 4, 1_000_000, True),
    0x63: _Number("acceleration_m_s2", 4, 1_000_000, True),
    0xF0: _Number("device_type", 2),
    0xF1: _Number("firmware", 4),
    0xF2: _Number("firmware", 3),
} | {number: _Number(name, 1) for number, name in _BINARY.items()}
_TEXT: Final = 0x53
_RAW: Final = 0x54


def read_bthome(data: bytes) -> Objects | None:
    """Read service data FCD2; None if it is not BTHome version 2.

    Reading ends at an object that is not known (its length cannot be told) or cut short; what stood before it counts,
    as the format asks of receivers.
    """
    if not data or data[0] >> 5 != _VERSION_2:
        return None
    if data[0] & _ENCRYPTED:
        return Objects(encrypted=True, readings=())
    readings: list[tuple[str, float | str | bytes]] = []
    at = 1
    while at < len(data):
        at, reading = _object(data, at)
        if reading is None:
            break
        readings.append(reading)
    return Objects(encrypted=False, readings=tuple(readings))


def _object(data: bytes, at: int) -> tuple[int, tuple[str, float | str | bytes] | None]:
    """Read one object; return where the next one begins, and name and value, None if it cannot be read."""
    kind = data[at]
    if kind in {_TEXT, _RAW}:
        if at + 1 >= len(data):
            return at, None
        end = at + 2 + data[at + 1]
        value = data[at + 2 : end]
        if end > len(data):
            return at, None
        return end, ("raw", value) if kind == _RAW else ("text", value.decode("utf-8", "replace"))
    number = _NUMBERS.get(kind)
    if number is None or at + 1 + number.size > len(data):
        return at, None
    end = at + 1 + number.size
    raw = int.from_bytes(data[at + 1 : end], "little", signed=number.signed)
    return end, (number.name, raw / number.per if number.per != 1 else raw)
