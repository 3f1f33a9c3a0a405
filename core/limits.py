"""Bounds on what comes in, each once and with the reason for its number.

Times are nanoseconds, levels dBm, sizes bytes.
"""

from typing import Final

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_US: Final = 1_000

RSSI_MIN_DBM: Final = -120
"""Receivers of this kind stop near -105 dBm; below -120 is a fault value (-127 is one of old adapters)."""
RSSI_MAX_DBM: Final = 20
"""Bluetooth's highest transmit power is +20 dBm; nothing is heard louder than it was sent (TETAM holds +42;
127 is what a radio says that could not measure)."""

ZONES_PER_STORE: Final = 256
"""A department store with a zone per shelf run has about 200; kernels keep a score per zone and device."""
ANCHORS_PER_STORE: Final = 1024
"""Four anchors a zone in the largest store."""
STORES_PER_PLAN: Final = 10_000
"""The largest chain in docs/scale; a plan of that size still loads in seconds."""

ID_CHARACTERS: Final = 64
"""Ids of stores, zones, anchors and edges stand in topics and URLs; 64 holds a UUID with a prefix."""
PSEUDONYM_BYTES: Final = 16
"""128 bits: among a million devices a day a collision has probability 1e-27."""

BATCH_SIGNALS: Final = 65_535
"""Row indices fit 16 bits; at 2,000 adverts/s this is half a minute, far above the one second an edge waits."""
BATCH_BYTES: Final = 524_288
"""One MQTT message as it arrives: 65,535 signals of 2,000 devices in random order took 356,426 bytes, the worst
case tests could make; half as much again. The broker's packet cap is the same."""
BATCH_UNPACKED_BYTES: Final = 2_097_152
"""After decompression: 65,535 signals x 13 bytes plus 65,535 pseudonyms of 16 bytes, rounded up to 2 MiB."""
BATCHES_UNDERWAY: Final = 8
"""Batches of an edge on their way at once: at 100 ms from edge to database and back that is 80 batches/s, 300,000
signals. More would let one edge of a store run minutes of data ahead of the others while all deliver what they saved
up. A backlog of so many is how a working edge looks; what is beyond them waits."""
BATCH_SPAN_US: Final = 2**32 - 1
"""Offsets are unsigned 32-bit microseconds: 71 minutes, a thousand times the usual batch."""

FUTURE_BOUND_NS: Final = 120 * NS_PER_S
"""An edge on NTP is within a second; two minutes leaves room for a clock that has just started to drift."""
PAST_BOUND_NS: Final = 7 * 24 * 3600 * NS_PER_S
"""A week: the longest time an edge's outbox is sized to hold signals while its network is away."""
