"""Why an adapter cannot be listened to: bleak's and D-Bus's errors as one sentence each, with what to do.

Only names of errors and adapters are repeated: the details of D-Bus may name devices.
"""

from typing import Final

from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError
from dbus_fast.errors import AuthError

from core.errors import UnavailableError

_NOT_ALLOWED: Final = (
    "This user may not use Bluetooth.",
    "Add it to the group bluetooth (`usermod -aG bluetooth NAME`) and start the edge again.",
)
_NO_BUS: Final = (
    "The system D-Bus is away.",
    "Start it (`systemctl start dbus`); in a container, mount /run/dbus/system_bus_socket.",
)
_NO_BLUEZ: Final = ("BlueZ does not run.", "Start it: `systemctl start bluetooth`.")
_GONE: Final = ("There is no adapter {adapter}.", "Plug it in, or name another: `bluetoothctl list` shows them.")
_OFF: Final = (
    "The adapter {adapter} is switched off.",
    "Run `rfkill unblock bluetooth` and `bluetoothctl power on`.",
)
_BUSY: Final = (
    "The adapter {adapter} is busy with another scan that cannot be shared.",
    "End the other program, or restart BlueZ: `systemctl restart bluetooth`.",
)
_NOT_PASSIVE: Final = (
    "The adapter {adapter} cannot scan passively.",
    'Run bluetoothd 5.56 or newer with --experimental, or set scanning = "active".',
)
_STUCK: Final = ("BlueZ does not answer.", "Restart it: `systemctl restart bluetooth`.")
_BY_DBUS_ERROR: Final = {
    "org.freedesktop.DBus.Error.AccessDenied": _NOT_ALLOWED,
    "org.freedesktop.DBus.Error.ServiceUnknown": _NO_BLUEZ,
    "org.freedesktop.DBus.Error.NameHasNoOwner": _NO_BLUEZ,
    "org.freedesktop.DBus.Error.UnknownObject": _GONE,
    "org.freedesktop.DBus.Error.UnknownMethod": _GONE,
    "org.freedesktop.DBus.Error.NoReply": _STUCK,
    "org.bluez.Error.NotReady": _OFF,
    "org.bluez.Error.NotPermitted": _NOT_ALLOWED,
    "org.bluez.Error.NotAuthorized": _NOT_ALLOWED,
    "org.bluez.Error.InProgress": _BUSY,
    "org.bluez.Error.NotSupported": _NOT_PASSIVE,
}


def silent(adapter: str, silence_s: float) -> UnavailableError:
    """Return what is said of an adapter that scans and hears nobody at all."""
    return UnavailableError(
        f"The adapter {adapter} has heard nothing at all for {silence_s:.0f} s.",
        hint="If there are devices near it, unplug it and plug it in, or look at its antenna.",
    )


def explain(error: BaseException, adapter: str) -> UnavailableError:
    """Return the sentence for whatever went wrong with an adapter."""
    what, hint = _pair(error)
    return UnavailableError(what.format(adapter=adapter), hint=hint)


def _pair(error: BaseException) -> tuple[str, str]:
    if isinstance(error, BleakDBusError):
        other = (f"BlueZ refuses to scan with {{adapter}} ({error.dbus_error}).", _STUCK[1])
        return _BY_DBUS_ERROR.get(error.dbus_error, other)
    if isinstance(error, BleakBluetoothNotAvailableError | AuthError | PermissionError):
        return _NOT_ALLOWED
    if isinstance(error, TimeoutError):
        return _STUCK
    if isinstance(error, OSError | EOFError):  # the socket is not there, or the connection ended
        return _NO_BUS
    if isinstance(error, BleakError):
        return _from_words(str(error))
    return (f"The adapter {{adapter}} cannot be used ({type(error).__name__}).", _STUCK[1])


def _from_words(words: str) -> tuple[str, str]:
    """Tell those of bleak's errors apart that have no class or name of their own."""
    if "not found" in words:
        return _GONE
    if "passive" in words:
        return _NOT_PASSIVE
    return ("Bluetooth with {adapter} failed.", _STUCK[1])
