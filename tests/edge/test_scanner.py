"""Real bleak against a double of BlueZ: what is heard, and what is said when nothing can be."""

import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.advertisement import Rule
from edge import scanner as scanner_module
from edge.scanner import Listening
from tests.edge.bluez_double import NO_BLUEZ, BlueZ, DBus
from tests.edge.listening import NAMESPACE, OURS, TAG, Listener, ibeacon
from tests.edge.stand_ins import await_that

WHO = f"ibeacon:{NAMESPACE}:00010002".encode()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often and try again soon, so that no test waits for an adapter's usual patience."""
    monkeypatch.setattr(scanner_module, "_TICK_S", 0.02)
    monkeypatch.setattr(scanner_module, "_RETRY_S", (0.05, 0.1))


def await_heard(bluez: BlueZ, listener: Listener) -> None:
    """Let a tag send until it is heard; between two scans it is not."""

    def heard() -> bool:
        bluez.hear("hci0", TAG, -60, manufacturer=ibeacon(0x00010002))
        return listener.scanner.state == "hearing"

    await_that(heard)


def test_every_advertisement_of_a_tag_is_a_reading_and_nobody_elses_is(bluez: BlueZ) -> None:
    with Listener("hci0") as listener:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        assert bluez.adapters["hci0"].filters[0] == {"Transport": "le", "DuplicateData": True}
        for level in (-60, -60, -61):  # the same twice is two readings
            bluez.hear("hci0", TAG, level, manufacturer=ibeacon(0x00010002))
        bluez.hear("hci0", "C0:34:12:AB:00:02", -50, manufacturer=ibeacon(7, "00" * 16))
        bluez.hear("hci0", "C0:34:12:AB:00:03", -50)
        for level in (127, -127):  # what a radio says that could not measure
            bluez.hear("hci0", TAG, level, manufacturer=ibeacon(0x00010002))
        heard = listener.hearing.heard[0]
        await_that(lambda: heard.adverts == 7)
        assert listener.readings() == [("gw-hci0", WHO, level) for level in (-60, -60, -61)]
        assert (heard.signals, heard.not_ours, heard.unmeasured) == (3, 2, 2)
        await_that(lambda: (listener.scanner.state, listener.scanner.reason) == ("hearing", ""))
        assert listener.alive > 0
    await_that(lambda: not bluez.adapters["hci0"].discovering)


def test_times_are_those_of_arrival_and_in_order(bluez: BlueZ) -> None:
    with Listener("hci0") as listener:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        before_ns = time.time_ns()
        for level in range(-90, -40):
            bluez.hear("hci0", TAG, level, manufacturer=ibeacon(1))
        await_that(lambda: listener.hearing.heard[0].adverts == 50)
        after_ns = time.time_ns()
        times_ns = listener.times_ns()
    assert len(times_ns) == 50
    assert times_ns == sorted(times_ns)
    assert before_ns - 10**6 <= times_ns[0]
    assert times_ns[-1] <= after_ns + 10**6


def test_each_adapter_is_an_anchor_of_its_own(bluez: BlueZ) -> None:
    with Listener("hci0", "hci1") as listener:
        await_that(lambda: all(adapter.discovering for adapter in bluez.adapters.values()))
        bluez.hear("hci0", TAG, -60, manufacturer=ibeacon(0x00010002))
        bluez.hear("hci1", TAG, -70, manufacturer=ibeacon(0x00010002))
        await_that(lambda: sum(heard.adverts for heard in listener.hearing.heard) == 2)
        assert sorted(listener.readings()) == [("gw-hci0", WHO, -60), ("gw-hci1", WHO, -70)]


def test_passive_listening_asks_for_what_the_rules_take(bluez: BlueZ) -> None:
    with Listener("hci0", passive=True) as listener:
        await_that(lambda: bool(bluez.adapters["hci0"].patterns))
        assert bluez.adapters["hci0"].patterns == [(0, 0xFF, bytes.fromhex("4c000215" + NAMESPACE))]
        assert not bluez.adapters["hci0"].discovering
        bluez.hear("hci0", TAG, -60, manufacturer=ibeacon(0x00010002))
        await_that(lambda: listener.hearing.heard[0].signals == 1)
    await_that(lambda: bluez.adapters["hci0"].monitors == 0)


def test_how_to_listen_changes_while_it_runs(bluez: BlueZ) -> None:
    with Listener("hci0") as listener:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        listener.change(Listening("passive", 60, OURS))
        await_that(lambda: bluez.adapters["hci0"].monitors == 1 and not bluez.adapters["hci0"].discovering)


def test_a_stuck_scan_is_begun_anew(bluez: BlueZ) -> None:
    adapter = bluez.adapters["hci0"]
    with Listener("hci0", silence_s=0.2) as listener:
        await_that(lambda: adapter.starts >= 1)
        adapter.deaf = True
        starts, restarts = adapter.starts, listener.scanner.restarts  # on a busy machine it has been silent already
        await_that(lambda: adapter.starts > starts and listener.scanner.restarts > restarts)
        await_that(lambda: "has heard nothing at all for" in listener.scanner.reason)
        await_that(lambda: listener.scanner.restarts >= scanner_module.DEAF_AFTER)
        alive = listener.alive
        adapter.deaf = False
        await_heard(bluez, listener)
        await_that(lambda: listener.alive > alive)
        assert listener.scanner.reason == ""


def test_an_adapter_that_vanishes_is_said_to_and_heard_again_once_it_is_back(bluez: BlueZ) -> None:
    with Listener("hci0", silence_s=0.8) as listener:
        await_heard(bluez, listener)
        with capture_logs() as said:
            adapter = bluez.vanish("hci0")
            await_that(lambda: listener.scanner.state == "away")
        assert [one["reason"][:26] for one in said] == ["There is no adapter hci0. "], "no guess at its silence first"
        assert listener.scanner.reason.startswith("There is no adapter hci0. Plug it in")
        alive = listener.alive
        bluez.appear(adapter)
        await_heard(bluez, listener)
        await_that(lambda: listener.alive > alive)


def test_a_d_bus_that_restarts_is_waited_for(bluez: BlueZ, dbus: DBus) -> None:
    with Listener("hci0", silence_s=0.3) as listener:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        dbus.stop()
        await_that(lambda: listener.scanner.state == "away")
        assert listener.scanner.reason.startswith("The system D-Bus is away. Start it")
        dbus.start()
        await_that(lambda: listener.scanner.reason.startswith("BlueZ does not run."))
        bluez.connect()
        await_heard(bluez, listener)
        assert ("gw-hci0", WHO, -60) in listener.readings()


def test_a_user_without_permission_is_told_which_group(dbus_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DBus(dbus_folder, more=NO_BLUEZ) as bus, BlueZ(bus.address, "hci0"):  # as BlueZ's own policy says it
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        with Listener("hci0") as listener:
            await_that(lambda: listener.scanner.state == "away")
            assert "may not use Bluetooth" in listener.scanner.reason
            assert "usermod -aG bluetooth" in listener.scanner.reason


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (("org.bluez.Error.InProgress", "Operation already in progress"), "busy with another scan"),
        (("org.bluez.Error.Failed", "of AA:BB:CC:DD:EE:FF"), "refuses to scan with hci0 (org.bluez.Error.Failed)"),
        (("org.bluez.Error.NotPermitted", ""), "may not use Bluetooth"),
    ],
)
def test_what_bluez_refuses_is_one_sentence(bluez: BlueZ, refusal: tuple[str, str], sentence: str) -> None:
    bluez.adapters["hci0"].refusal = refusal
    with Listener("hci0") as listener:
        await_that(lambda: listener.scanner.state == "away")
        assert sentence in listener.scanner.reason
        assert "AA:BB" not in listener.scanner.reason
        bluez.adapters["hci0"].refusal = None
        await_that(lambda: bluez.adapters["hci0"].discovering)


def test_an_adapter_that_is_switched_off_is_said_to_be(bluez: BlueZ) -> None:
    bluez.adapters["hci0"].powered = False
    with Listener("hci0") as listener:
        await_that(lambda: listener.scanner.state == "away")
        assert listener.scanner.reason.startswith("The adapter hci0 is switched off. Run `rfkill unblock bluetooth`")


def test_a_bluez_that_cannot_listen_passively_is_said_to(dbus: DBus) -> None:
    with BlueZ(dbus.address, "hci0", experimental=False), Listener("hci0", passive=True) as listener:
        await_that(lambda: listener.scanner.state == "away")
        assert "cannot scan passively" in listener.scanner.reason


def test_private_addresses_alone_are_asked_for_by_flags(bluez: BlueZ) -> None:
    with Listener("hci0", rules=(Rule(kind="private_address"),), passive=True):
        await_that(lambda: bool(bluez.adapters["hci0"].patterns))
        assert (0, 0x01, b"\x06") in bluez.adapters["hci0"].patterns


def test_bluez_says_which_addresses_are_random(bluez: BlueZ) -> None:
    with Listener("hci0", rules=(Rule(kind="address"),)) as listener:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        bluez.hear("hci0", "3F:34:12:AB:00:01", -60, random=False)
        bluez.hear("hci0", "3F:34:12:AB:00:02", -61, random=True)  # the bits of a non-resolvable one
        bluez.hear("hci0", "C0:34:12:AB:00:03", -62, random=True)
        await_that(lambda: listener.hearing.heard[0].adverts == 3)
        assert listener.readings() == [
            ("gw-hci0", b"address:3f3412ab0001", -60),
            ("gw-hci0", b"address:c03412ab0003", -62),
        ]
