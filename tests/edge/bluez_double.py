"""A double of BlueZ on a private D-Bus: real messages on a real bus, so that real bleak can be run without a radio.

`DBus` is the bus (a dbus-daemon of its own), `BlueZ` the service with adapters and the devices they hear.
"""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.edge.stand_ins import await_that

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_requested_reply="true" receive_type="method_return"/>
    <allow receive_requested_reply="true" receive_type="error"/>
    <allow send_destination="*" eavesdrop="true"/>
    {more}
  </policy>
</busconfig>
"""
NO_BLUEZ = '<deny send_destination="org.bluez"/>'
"""What /etc/dbus-1/system.d/bluetooth.conf says to whoever is not in the group bluetooth."""
_ADAPTER = "org.bluez.Adapter1"
_DEVICE = "org.bluez.Device1"


class DBus:
    """A dbus-daemon of one's own; it may be stopped and started again at the same address."""

    def __init__(self, folder: Path, *, more: str = "") -> None:
        self.socket = folder / "bus"
        self._folder = folder
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix:path={self.socket}"

    def start(self) -> None:
        configuration = self._folder / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(socket=self.socket, more=self._more))
        program = shutil.which("dbus-daemon")
        assert program is not None
        with (self._folder / "bus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, f"--config-file={configuration}", "--nofork", "--nopidfile"], stderr=log
            )
        await_that(self._listens)

    def _listens(self) -> bool:
        """Whether it takes connections: its socket is there a moment before."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass
class Adapter:
    """An adapter; `refusal` is the D-Bus error with which it answers whoever wants to scan."""

    name: str
    powered: bool = True
    deaf: bool = False
    """It says that it scans and hears nothing, as a stuck one does."""
    refusal: tuple[str, str] | None = None
    discovering: bool = False
    monitors: int = 0
    starts: int = 0
    filters: list[dict[str, Any]] = field(default_factory=list)
    patterns: list[Any] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/org/bluez/{self.name}"

    def properties(self) -> dict[str, Variant]:
        return {
            "Address": Variant("s", "00:1A:7D:DA:71:01"),
            "Powered": Variant("b", self.powered),
            "Discovering": Variant("b", self.discovering),
            "Roles": Variant("as", ["central", "peripheral"]),  # without it bleak raises KeyError
        }


class BlueZ:
    """org.bluez on a bus, in a thread of its own."""

    def __init__(self, address: str, *adapters: str, experimental: bool = True) -> None:
        self.adapters = {name: Adapter(name) for name in adapters}
        self.sent = 0
        self.address = address
        self._experimental = experimental
        self._devices: dict[str, dict[str, Variant]] = {}
        self._bus: MessageBus
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="bluez double", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._disconnect)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def connect(self) -> None:
        """Appear on the bus; again after it was started anew."""
        asyncio.run_coroutine_threadsafe(self._connect(), self.loop).result(10)

    def vanish(self, name: str) -> Adapter:
        """Pull an adapter out."""
        adapter = self.adapters.pop(name)
        adapter.discovering = False
        self._do(lambda: self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas",
                                      [adapter.path, [_ADAPTER]]))  # fmt: skip
        return adapter

    def appear(self, adapter: Adapter) -> None:
        """Plug an adapter in."""
        self.adapters[adapter.name] = adapter
        self._do(lambda: self._added(adapter.path, _ADAPTER, adapter.properties()))

    def hear(
        self,
        adapter: str,
        address: str,
        rssi_dbm: int,
        *,
        manufacturer: dict[int, bytes] | None = None,
        service: dict[str, bytes] | None = None,
        random: bool = True,
    ) -> None:
        """Let an adapter hear one advertisement; nothing is told unless it scans."""
        self._do(lambda: self.tell(adapter, address, rssi_dbm, manufacturer, service, random=random))

    def tell(
        self,
        name: str,
        address: str,
        rssi_dbm: int,
        manufacturer: dict[int, bytes] | None = None,
        service: dict[str, bytes] | None = None,
        *,
        random: bool = True,
    ) -> None:
        """Do the same from the thread of the double."""
        adapter = self.adapters.get(name)
        if adapter is None or adapter.deaf or not (adapter.discovering or adapter.monitors):
            return
        changed = {"RSSI": Variant("n", rssi_dbm)}
        if manufacturer:
            changed["ManufacturerData"] = Variant("a{qv}", {k: Variant("ay", v) for k, v in manufacturer.items()})
        if service:
            changed["ServiceData"] = Variant("a{sv}", {k: Variant("ay", v) for k, v in service.items()})
        path = f"{adapter.path}/dev_{address.replace(':', '_')}"
        self.sent += 1
        if path in self._devices:
            self._devices[path] |= changed
            body = [_DEVICE, changed, []]
            self._signal(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", body)
            return
        self._devices[path] = changed | {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random" if random else "public"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Adapter": Variant("o", adapter.path),
            "Paired": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
        }
        self._added(path, _DEVICE, self._devices[path])

    def _do(self, what: Callable[[], None]) -> None:
        async def done() -> None:
            what()

        asyncio.run_coroutine_threadsafe(done(), self.loop).result(10)

    async def _connect(self) -> None:
        self._devices.clear()
        for adapter in self.adapters.values():
            adapter.discovering, adapter.monitors = False, 0
        self._bus = await MessageBus(bus_address=self.address).connect()
        self._bus.add_message_handler(self._answer)
        await self._bus.request_name("org.bluez")

    def _disconnect(self) -> None:
        with contextlib.suppress(Exception):  # the bus may be gone
            self._bus.disconnect()

    def _added(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        body = [path, {interface: properties}]
        self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", body)

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        message = Message.new_signal(path, interface, member, signature, body)
        with contextlib.suppress(Exception):  # the bus may be gone
            self._bus.send(message).add_done_callback(lambda sent: sent.exception())

    def _answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL or message.destination != "org.bluez":
            return None
        if message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
        adapter = next((one for one in self.adapters.values() if one.path == message.path), None)
        if adapter is None:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "No such object")
        return self._adapter(adapter, message)

    def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        objects = {one.path: {_ADAPTER: one.properties()} for one in self.adapters.values()}
        return objects | {path: {_DEVICE: properties} for path, properties in self._devices.items()}

    def _adapter(self, adapter: Adapter, message: Message) -> Message:
        if adapter.refusal is not None:
            return Message.new_error(message, *adapter.refusal)
        if not adapter.powered:
            return Message.new_error(message, "org.bluez.Error.NotReady", "Resource Not Ready")
        match message.member:
            case "SetDiscoveryFilter":
                adapter.filters.append({key: value.value for key, value in message.body[0].items()})
            case "StartDiscovery":
                adapter.discovering = True
                adapter.starts += 1
            case "StopDiscovery":
                adapter.discovering = False
            case "RegisterMonitor" if self._experimental:
                adapter.monitors += 1
                adapter.starts += 1
                self.loop.create_task(self._read_patterns(adapter, message))  # the loop is ours
            case "UnregisterMonitor" if self._experimental:
                adapter.monitors -= 1
            case _:
                return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "No such method")
        return Message.new_method_return(message)

    async def _read_patterns(self, adapter: Adapter, message: Message) -> None:
        """Ask a monitor what it looks for, as BlueZ does once it is registered."""
        for _ in range(50):  # bleak exports the monitor after the answer
            reply = await self._bus.call(
                Message(
                    destination=message.sender,
                    path=message.body[0],
                    interface="org.freedesktop.DBus.Properties",
                    member="Get",
                    signature="ss",
                    body=["org.bluez.AdvertisementMonitor1", "Patterns"],
                )
            )
            if reply is not None and reply.message_type is MessageType.METHOD_RETURN:
                adapter.patterns = reply.body[0].value
                return
            await asyncio.sleep(0.02)
