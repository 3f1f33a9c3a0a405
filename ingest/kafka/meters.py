"""What the bridge counts and tells a Prometheus; never a store, a topic or a message."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from core.limits import NS_PER_S

_CARRY_S: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0)
"""A record waits five milliseconds for others (LINGER_MS) and is given up after thirty seconds (DELIVERY_MS)."""


class BridgeMeters:
    """The counts of one bridge.

    Parameters
    ----------
    registry : CollectorRegistry, optional
        Where they are told; default: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._messages = Counter(
            "sojourn_bridge_messages", "Messages that Kafka has and the broker may forget.", registry=self.registry
        )
        self._bytes = Counter("sojourn_bridge_bytes", "Their payloads.", registry=self.registry)
        self._carry_s = Histogram(
            "sojourn_bridge_carry_seconds",
            "From a message's receipt to Kafka's word that it has it.",
            buckets=_CARRY_S,
            registry=self.registry,
        )
        self._retreats = Counter(
            "sojourn_bridge_retreats",
            "Times that the bridge let go of both sides, because one of them was away.",
            registry=self.registry,
        )
        self._standing = self._gauge("standing", "1 while the bridge has both sides.")
        self._under_way = self._gauge("under_way", "Messages that Kafka does not have yet.")
        self._dropped = self._gauge("broker_dropped_messages", "Messages the broker dropped since it started.")

    def carried(self, size: int, received_at: int, now_ns: int) -> None:
        """Count a message that is on the other side."""
        self._messages.inc()
        self._bytes.inc(size)
        self._carry_s.observe(max(now_ns - received_at, 0) / NS_PER_S)

    def stands(self, under_way: int, dropped: int | None) -> None:
        """Tell that both sides are there, and how many messages are between them."""
        self._standing.set(1)
        self._under_way.set(under_way)
        if dropped is not None:
            self._dropped.set(dropped)

    def fell(self) -> None:
        """Tell that one side is away."""
        self._standing.set(0)
        self._under_way.set(0)
        self._retreats.inc()

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"sojourn_bridge_{name}", what, registry=self.registry)
