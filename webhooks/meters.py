"""What the sender of webhooks counts and tells a Prometheus; never a receiver's address or a message."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storage.webhooks.queue import Attempt, Outcome, Waiting

_ATTEMPT_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""An attempt is given up after 20 s (webhooks.sending.ATTEMPT_S)."""


class Meters:
    """The counts of one sender.

    Parameters
    ----------
    registry : CollectorRegistry, optional
        Where they are told; default: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._attempts = Counter(
            "sojourn_webhooks_attempts",
            "Attempts: delivered, waiting (for another), dead (given up).",
            ["outcome"],
            registry=self.registry,
        )
        outcomes: tuple[Outcome, ...] = ("delivered", "waiting", "dead")
        for outcome in outcomes:
            self._attempts.labels(outcome)
        self._attempt_s = Histogram(
            "sojourn_webhooks_attempt_seconds",
            "How long an attempt took.",
            buckets=_ATTEMPT_S,
            registry=self.registry,
        )
        self.under_way = Gauge("sojourn_webhooks_under_way", "Attempts under way.", registry=self.registry)
        self._waiting = Gauge("sojourn_webhooks_waiting", "Deliveries that wait.", registry=self.registry)
        self._oldest_s = Gauge(
            "sojourn_webhooks_overdue_seconds", "How long the oldest one has been due.", registry=self.registry
        )

    def attempted(self, attempt: Attempt, outcome: Outcome) -> None:
        """Count an attempt."""
        self._attempts.labels(outcome).inc()
        self._attempt_s.observe(attempt.duration_ms / 1000)

    def waits(self, waiting: Waiting) -> None:
        """Tell what is in the queue."""
        self._waiting.set(waiting.deliveries)
        self._oldest_s.set(waiting.overdue_s)
