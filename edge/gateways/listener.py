"""Listens at the broker of the gateways: QoS 0 and a clean session, so that the broker keeps nothing for us."""

from typing import Any, Final

import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.broker import Broker
from edge.clock import Clock
from edge.gateways.bridge import Bridge
from edge.gateways.settings import Listen
from edge.tls import refused_because, take_renewed, use_tls, why_ended

_KEEPALIVE_S: Final = 15
_BACKOFF_S: Final = (1, 30)
log = structlog.get_logger()


class Listener:
    """Hands messages of gateways to a bridge, and connects again for as long as it runs.

    Parameters
    ----------
    broker : Broker
    name : str
        Of the client at the broker.
    listens : tuple of Listen
    bridge : Bridge
    clock : Clock
    """

    def __init__(self, broker: Broker, name: str, listens: tuple[Listen, ...], bridge: Bridge, clock: Clock) -> None:
        self.connected = False
        self.reason = "The broker of the gateways was not reached yet."
        self._broker, self._listens, self._bridge, self._clock = broker, listens, bridge, clock
        # version 3.1.1: many a gateway's own broker knows no other
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=True, protocol=mqtt.MQTTv311)
        self._client.reconnect_delay_set(*_BACKOFF_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_connect_fail = self._on_fail
        self._client.on_subscribe = self._on_subscribe
        for listen in listens:
            self._client.message_callback_add(listen.topic, self._callback(listen.format))
        self._tls = use_tls(self._client, broker)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)

    def start(self) -> None:
        """Connect in a thread; returns at once."""
        self._client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Listen no more."""
        self._client.disconnect()
        self._client.loop_stop()

    def _callback(self, form: str) -> Any:
        def take(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
            at_s = self._clock.monotonic_s()  # before anything else
            self._bridge.take(form, message.topic, bytes(message.payload), at_s, retained=message.retain)

        return take

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._say(f"The broker of the gateways refuses us: {refused_because(reason)}.")
            return
        self.connected, self.reason = True, ""
        log.info("listening to gateways", topics=len(self._listens))
        client.subscribe([(listen.topic, 0) for listen in self._listens])

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _p: Any) -> None:
        ended = f"ended: {reason}" if self.connected else f"was refused: {why_ended(self._broker)}"
        self.connected = False
        take_renewed(self._tls, self._broker)
        self._say(f"The connection to the broker of the gateways {ended}.")

    def _on_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self._say("The broker of the gateways cannot be reached.")

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._say("The broker of the gateways does not let us read a topic.")

    def _say(self, reason: str) -> None:
        if reason != self.reason:
            log.warning("gateways are not heard", reason=reason)
        self.reason = reason
