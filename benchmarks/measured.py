"""What a run is asked to measure, and what it found."""

from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.beside import Beside
from benchmarks.workload import DEVICES

QUICK_SIGNALS: Final = 5_000_000
DEVICE_COUNTS: Final = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Asked:
    """What a run is to measure.

    `sizes` are those of the peers; `quick` gives slow peers a part only; `peers` None means all.
    """

    signals: int = QUICK_SIGNALS
    sizes: tuple[int, ...] = (QUICK_SIGNALS,)
    devices: int = DEVICES
    device_counts: tuple[int, ...] = DEVICE_COUNTS
    rounds: int = 3
    peer_rounds: int = 1
    seed: int = 1
    quick: bool = True
    peers: list[str] | None = None


@dataclass
class Measured:
    """What a run found: `told` is the JSON, `beside` the peers by size and name."""

    asked: Asked
    told: dict[str, Any]
    beside: dict[int, dict[str, Beside]] = field(default_factory=dict)
