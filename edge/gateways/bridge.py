"""Messages of gateways in, readings of anchors out; nothing is kept, and nothing but counts is said."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from core.advertisement import Identities
from core.errors import InputError
from edge.clock import Clock
from edge.gateways.formats import TRANSLATORS
from edge.gateways.heard import MESSAGE_BYTES, Heard, gateway_id
from edge.hearing import Hearing
from edge.readings import ReadingQueue

MOST_AGE_S: Final = 120.0
"""How far apart readings of one message may be: Meraki tells of a minute. A gateway whose times differ by more has a
clock that was set meanwhile."""
_LEVELS: Final = 1000.0  # far beyond any; a float that is no number or no level must not reach round()


class Bridge:
    """Translates and names; safe to use from several threads.

    A reading is of the time at which its message arrived, by the clock of this machine. What gateways say of the time
    counts only as differences inside one message. MQTT's DUP flag is not looked at: it says that a message may have
    been sent before, not that it has arrived before.

    Parameters
    ----------
    gateways : mapping of str to str
        What each gateway calls itself, and the anchor that it is.
    identities : Identities
    public : frozenset of bytes
        First three bytes of addresses that are public where a gateway does not tell the kind.
    readings : ReadingQueue
    clock : Clock
    """

    def __init__(
        self,
        gateways: Mapping[str, str],
        identities: Identities,
        public: frozenset[bytes],
        readings: ReadingQueue,
        clock: Clock,
    ) -> None:
        anchors = tuple(dict.fromkeys(gateways.values()))
        self.counts: Counter[str] = Counter()
        """Messages and readings, and what was refused, by reason: `size`, `retained`, `unreadable`,
        `secret` (messages), `entry` (an entry of a message), `unknown_gateway` (readings)."""
        self._places = {gateway_id(name): anchors.index(anchor) for name, anchor in gateways.items()}
        self._anchors = anchors
        self._public = public
        self._hearing = Hearing(anchors, identities, readings, clock)
        self._lock = threading.Lock()

    def take(self, form: str, topic: str, payload: bytes, at_s: float, *, retained: bool = False) -> None:
        """Take one message that arrived at a monotonic time (s)."""
        reason, heard, refused = "", list[Heard](), 0
        if retained:  # it says when somebody was there once, not when
            reason = "retained"
        elif len(payload) > MESSAGE_BYTES:
            reason = "size"
        else:
            try:
                heard, refused = TRANSLATORS[form](topic, payload)
            except InputError:
                reason = "unreadable"
        with self._lock:
            self.counts["messages"] += 1
            if reason:
                self.counts[reason] += 1
            self.counts["entry"] += refused
            newest_s = max((one.at_s for one in heard if one.at_s is not None), default=0.0)
            for one in heard:
                age_s = 0.0 if one.at_s is None else newest_s - one.at_s
                self._hear(one, at_s - age_s if 0 <= age_s <= MOST_AGE_S else at_s)

    def refuse(self, reason: str) -> None:
        """Count a message that did not come so far as to be translated."""
        with self._lock:
            self.counts["messages"] += 1
            self.counts[reason] += 1

    def flush(self) -> None:
        """Hand over what was heard so far."""
        with self._lock:
            self._hearing.flush()

    def said(self) -> dict[str, object]:
        """Return how many messages there were and what became of them."""
        anchors = self.adapters()
        with self._lock:
            return {"counts": dict(self.counts), "adapters": anchors}

    def adapters(self) -> dict[str, dict[str, object]]:
        """Return by anchor what each gateway heard."""
        with self._lock:
            return {
                anchor: {"adverts": one.adverts, "signals": one.signals, "not_ours": one.not_ours,
                         "unmeasured": one.unmeasured}
                for anchor, one in zip(self._anchors, self._hearing.heard, strict=True)
            }  # fmt: skip

    def _hear(self, one: Heard, at_s: float) -> None:
        place = self._places.get(one.gateway)
        if place is None:
            self.counts["unknown_gateway"] += 1
            return
        advertisement = one.advertisement
        address = advertisement.address
        if not one.kind_told and address is not None and address[:3] in self._public:
            advertisement = advertisement._replace(random=False)
        level = one.rssi_dbm if one.rssi_dbm is not None and abs(one.rssi_dbm) < _LEVELS else None
        self._hearing.take(place, advertisement, None if level is None else round(level), at_s)
