"""What an edge or gateway agent counts and tells a Prometheus: adapters and anchors, nothing of devices.

An edge stands in a store, where nobody scrapes: besides an address it can be a file for the node exporter.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.errors import UnavailableError
from edge.agent import Agent
from telemetry.exposition import TEXT_FILE, exposed, make_registry, write_file

_HEARD: Final = {
    "adverts": "Advertisements heard.",
    "signals": "Signals of devices that are ours.",
    "not_ours": "Advertisements of others.",
    "unmeasured": "Advertisements without an RSSI.",
}
"""The words of an adapter's health, each a count."""

log = structlog.get_logger()


class Meters(Collector):
    """Tells how an agent fares when it is asked.

    Parameters
    ----------
    agent : Agent
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.adapters: Mapping[str, Mapping[str, object]] = {}
        """By anchor, as the health file has them."""
        self.registry = make_registry("edge")
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Give every series."""
        agent = self._agent
        yield _gauge("outbox_messages", "Messages that are not known to be in the database.", agent.backlog)
        yield _gauge("outbox_bytes", "What the outbox holds.", agent.held_bytes)
        yield _gauge("connected", "1 while the broker is there.", agent.connected)
        yield _gauge("running", "1 while both threads are at work.", agent.running)
        yield CounterMetricFamily(
            "sojourn_edge_gap_signals", "Signals given up since the start, told as gaps.", value=agent.lost
        )
        adapters = dict(self.adapters)
        for word, what in _HEARD.items():
            heard = CounterMetricFamily(f"sojourn_edge_{word}", what, labels=["anchor"])
            for anchor, said in adapters.items():
                count = said.get(word)
                if isinstance(count, int):
                    heard.add_metric([anchor], count)
            yield heard
        away = GaugeMetricFamily("sojourn_edge_adapter_away", "1 while an adapter hears nothing.", labels=["anchor"])
        for anchor, said in adapters.items():
            if "reason" in said:
                away.add_metric([anchor], bool(said["reason"]))
        yield away


class Told:
    """Where counts go besides being served: a file, if that is what was asked for."""

    def __init__(self, registry: CollectorRegistry, path: Path | None) -> None:
        self._registry, self._path = registry, path
        self._failed = False

    def rewrite(self) -> None:
        """Write the file; that it cannot be is said once."""
        if self._path is None:
            return
        try:
            write_file(self._registry, self._path)
        except UnavailableError as error:
            if not self._failed:
                log.warning("metrics are not written", reason=str(error))
            self._failed = True
        else:
            self._failed = False


@contextmanager
def telling(meters: Meters, where: str) -> Iterator[Told]:
    """Serve counts on an address, or lend what writes them to a file whose name ends in `.prom`.

    Raises
    ------
    ConfigurationError, UnavailableError
        As `exposed`.
    """
    if where.endswith(TEXT_FILE):
        yield Told(meters.registry, Path(where))
        return
    with exposed(meters.registry, where):
        yield Told(meters.registry, None)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sojourn_edge_{name}", what, value=float(value))
