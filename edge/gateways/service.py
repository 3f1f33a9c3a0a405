"""`sojourn gateway`: gateways bought elsewhere, translated, under pseudonyms, into the outbox of an edge."""

import threading
from contextlib import ExitStack
from typing import Final

import structlog

from core.advertisement import Identities, with_known
from core.limits import NS_PER_US
from edge.agent import Agent, AgentSettings
from edge.clock import Clock
from edge.gateways.bridge import Bridge
from edge.gateways.listener import Listener
from edge.gateways.settings import GatewaySettings
from edge.gateways.webhook import WebhookServer
from edge.health import HEALTH_S, Health, notify
from edge.meters import Meters, telling
from edge.readings import ReadingQueue

HAND_OVER_S: Final = 0.1
"""As an edge does: a tenth of the second that a signal may be on its way to the page."""
DRAIN_S: Final = 5.0
log = structlog.get_logger()


def run(settings: GatewaySettings, stop: threading.Event, clock: Clock | None = None, *, metrics: str = "") -> int:
    """Listen to gateways until told to stop; `metrics` is as for `edge.service.run`.

    Returns
    -------
    int
        Messages that the database is not known to have; the outbox keeps them.

    Raises
    ------
    ConfigurationError, UnavailableError
        If keys, outbox, certificates or the webhook's port cannot be used.
    """
    clock = clock if clock is not None else Clock()
    readings = ReadingQueue()
    identities = Identities(with_known(settings.hear), settings.resolver())
    bridge = Bridge(settings.gateways, identities, settings.public, readings, clock)
    agent = Agent(
        AgentSettings(
            store=settings.store,
            edge=settings.edge,
            anchors=settings.anchors,
            broker=settings.connection(),
            keys=settings.files.keys,
            outbox=settings.files.outbox,
        ),
        readings,
        clock=clock,
        more_status=bridge.said,
    )
    health = Health(settings.files.health)
    meters = Meters(agent)
    listener = Listener(
        settings.source_connection(),
        f"sojourn-gateways-{settings.store}-{settings.edge}",
        settings.listen,
        bridge,
        clock,
    )
    with ExitStack() as sources:
        told = sources.enter_context(telling(meters, metrics))
        if settings.meraki is not None:
            webhook = WebhookServer(settings.meraki, settings.secret(), bridge, clock)
            webhook.start()
            sources.callback(webhook.stop)
        agent.start()
        if settings.listen:
            listener.start()
            sources.callback(listener.stop)
        notify("READY=1")
        told_s = -HEALTH_S
        while not stop.wait(HAND_OVER_S):
            bridge.flush()
            if clock.monotonic_s() - told_s >= HEALTH_S:
                told_s = clock.monotonic_s()
                sentence = listener.reason if settings.listen and listener.reason else f"{agent.backlog} to deliver"
                said = _said(settings, agent, listener, clock.now_ns()) | bridge.said()
                health.tell(said, sentence, well=agent.running)
                meters.adapters = bridge.adapters()
                told.rewrite()
    notify("STOPPING=1")
    bridge.flush()
    left = agent.stop(DRAIN_S)
    if left:
        log.warning("stopped before the database had everything; the outbox keeps it", messages=left)
    return left


def _said(settings: GatewaySettings, agent: Agent, listener: Listener, now_ns: int) -> dict[str, object]:
    return {
        "at_us": now_ns // NS_PER_US,
        "store": settings.store,
        "edge": settings.edge,
        "broker": "connected" if agent.connected else "away",
        "source": listener.reason or "connected",
        "backlog": agent.backlog,
        "dropped": agent.lost,
    }
