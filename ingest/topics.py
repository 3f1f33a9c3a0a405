"""The MQTT topics that ingest reads and writes; design.md has the whole list."""

import re
from dataclasses import dataclass
from typing import Final

from core.floorplan import ID_PATTERN

SIGNALS: Final = "signals"
STATUS: Final = "status"
DROPPED: Final = "$SYS/broker/publish/messages/dropped"
"""Where mosquitto tells, every ten seconds, how many messages it dropped since it started; others may not."""
SUBSCRIPTIONS: Final = (f"sojourn/1/+/+/{SIGNALS}", f"sojourn/1/+/+/{STATUS}")
_ID: Final = re.compile(ID_PATTERN)


@dataclass(frozen=True)
class Topic:
    """Where a message comes from; `kind` is SIGNALS or STATUS."""

    store: str
    edge: str
    kind: str

    @property
    def usable(self) -> bool:
        """Whether store and edge can be ids at all."""
        return _ID.match(self.store) is not None and _ID.match(self.edge) is not None


def parse(topic: str) -> Topic | None:
    """Return the parts of a topic that SUBSCRIPTIONS match, None for any other."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[:2] != ["sojourn", "1"] or parts[4] not in (SIGNALS, STATUS):
        return None
    return Topic(*parts[2:])


def committed_topic(store: str, edge: str) -> str:
    """Return where an edge reads which of its batches are in the database."""
    return f"sojourn/1/{store}/{edge}/committed"
