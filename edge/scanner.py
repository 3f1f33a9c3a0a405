"""Listens with one Bluetooth adapter through bleak, and goes on listening whatever becomes of it.

BlueZ tells of every advertisement only when asked for duplicates; it may also stop telling without a word, when the
adapter is pulled out, when D-Bus or BlueZ restart, or when the adapter's firmware hangs. Silence is therefore the one
sign that counts: after some of it the scan is begun anew, and what then fails says what is wrong.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from core.advertisement import Advertisement, Rule
from core.errors import UnavailableError
from edge.clock import Clock
from edge.hearing import Hearing
from edge.patterns import patterns
from edge.radio_faults import explain, silent

LONGEST_SILENCE_S: Final = 120.0
"""Silence that a scan is allowed once new ones did not help: an empty store at night is silent too."""
DEAF_AFTER: Final = 3
"""So many silent scans in a row (15 + 30 + 60 s by default) and the adapter gives no sign of life any more."""
_RETRY_S: Final = (1.0, 30.0)
"""First and longest wait before an adapter that cannot be used is tried again."""
_ANSWER_S: Final = 10.0
"""BlueZ answers within a tenth of a second, after a start of its own within three."""
_TICK_S: Final = 1.0

State = Literal["starting", "hearing", "silent", "away"]
log = structlog.get_logger()


@dataclass(frozen=True)
class Listening:
    """How to listen: what can change while an edge runs."""

    scanning: Literal["active", "passive"]
    silence_s: float
    rules: tuple[Rule, ...]


def _asked_of_adapter(listening: Listening) -> object:
    """Return what differs exactly where a scan has to be another one: an active scan tells of every sender."""
    return (*patterns(listening.rules),) if listening.scanning == "passive" else None


class Scanner:
    """One adapter.

    Parameters
    ----------
    adapter : str
        BlueZ's name, as hci0.
    place : int
        Its place among the adapters of `hearing`.
    hearing : Hearing
    listening : Listening
    clock : Clock
    alive : callable
        Called about once a second while the adapter gives signs of life.
    """

    def __init__(
        self,
        adapter: str,
        place: int,
        hearing: Hearing,
        listening: Listening,
        *,
        clock: Clock,
        alive: Callable[[], None],
    ) -> None:
        self.adapter = adapter
        self.state: State = "starting"
        self.reason = ""
        """Why it is silent or away; empty otherwise."""
        self.restarts = 0
        """Scans that were begun anew because of silence."""
        self._place = place
        self._hearing = hearing
        self._listening = listening
        self._monotonic_s = clock.monotonic_s
        self._alive = alive
        self._again = asyncio.Event()
        self._silent_scans = 0
        self._silent_for_s: float | None = None  # what the last scan ended for, and nobody was told yet

    def change(self, listening: Listening) -> None:
        """Listen in another way from now on; for the loop's own thread.

        A scan is begun anew only where the adapter itself has to do something else: meanwhile it hears nothing.
        """
        anew = _asked_of_adapter(listening) != _asked_of_adapter(self._listening)
        self._listening = listening
        if anew:
            self._again.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        wait_s = _RETRY_S[0]
        while True:
            try:
                await self._scan()
                wait_s = _RETRY_S[0]
            except Exception as error:  # noqa: BLE001  # a radio fails in many ways, and none of them ends an edge
                self._silent_for_s = None
                self._fault("away", explain(error, self.adapter))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_S[1])

    async def _scan(self) -> None:
        """Live through one scan; return once a new one is due."""
        self._again.clear()
        scanner = self._scanner(self._listening)
        began_s = self._monotonic_s()  # BlueZ tells before it answers
        try:
            async with asyncio.timeout(_ANSWER_S):
                await scanner.start()
            self._tell_silence()
            await self._watch(began_s)
        finally:
            with suppress(Exception):  # a bus or an adapter that is gone has nothing to stop
                async with asyncio.timeout(_ANSWER_S):
                    await scanner.stop()

    def _scanner(self, listening: Listening) -> BleakScanner:
        if listening.scanning == "passive":
            return BleakScanner(
                self._on_advertisement,
                scanning_mode="passive",
                bluez={"adapter": self.adapter, "or_patterns": [*patterns(listening.rules)]},
            )
        # without DuplicateData BlueZ tells of a device once, and there is no stream of levels
        return BleakScanner(
            self._on_advertisement, bluez={"adapter": self.adapter, "filters": {"DuplicateData": True}}
        )

    async def _watch(self, since_s: float) -> None:
        """Return when the scan has been silent for too long, or is to be another one."""
        heard = self._hearing.heard[self._place]
        while not self._again.is_set():
            now_s = self._monotonic_s()
            if heard.last_s is not None and heard.last_s >= since_s:
                self._hears()
                since_s = heard.last_s
            most_s = self._patience_s()
            if now_s - since_s >= most_s:
                self._is_silent(most_s)
                return
            if self._silent_scans < DEAF_AFTER:
                self._alive()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_TICK_S, most_s)):  # wait_for loses a cancellation before Python 3.12
                    await self._again.wait()

    def _patience_s(self) -> float:
        silence_s = self._listening.silence_s
        return min(silence_s * 2.0**self._silent_scans, max(LONGEST_SILENCE_S, silence_s))

    def _hears(self) -> None:
        self._silent_scans = 0
        if self.state != "hearing":
            if self.reason:
                log.info("hearing again", adapter=self.adapter)
            self.state, self.reason = "hearing", ""

    def _is_silent(self, silence_s: float) -> None:
        self._silent_scans += 1
        self.restarts += 1
        self._silent_for_s = silence_s

    def _tell_silence(self) -> None:
        """Say that the last scan heard nothing, as this one could begin: otherwise that says better what is wrong."""
        silence_s, self._silent_for_s = self._silent_for_s, None
        if silence_s is not None:
            self._fault("silent", silent(self.adapter, silence_s))

    def _fault(self, state: State, why: UnavailableError) -> None:
        if (state, str(why)) != (self.state, self.reason):
            log.warning("not hearing", adapter=self.adapter, reason=str(why))
        self.reason, self.state = str(why), state  # whoever looks meanwhile shall not find a state without its reason

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        at_s = self._monotonic_s()  # first of all: what follows takes time
        self._hearing.take(
            self._place,
            Advertisement(
                bytes.fromhex(device.address.replace(":", "")),
                data.platform_data[1].get("AddressType") == "random",
                data.manufacturer_data,
                data.service_data,
            ),
            data.rssi,  # bleak says -127 where BlueZ has none, which no radio measures
            at_s,
        )
