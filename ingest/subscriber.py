"""The broker's side of ingest: MQTT 5 with a session that outlives the process and acknowledgements by hand.

Each connection is a paho client of its own. A message knows the client that brought it and is acknowledged through
that one, so an acknowledgement that comes too late ends with its connection; on a shared client paho would send it
on the new connection, where its number belongs to another message.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.errors import ConfigurationError, UnavailableError
from edge.broker import Broker
from edge.tls import client_context, refused_because, use_tls, why_ended, why_not
from ingest.settings import Settings
from ingest.source import Parting
from ingest.topics import DROPPED, SUBSCRIPTIONS

_ANSWER_S: Final = 10.0
"""A broker on the same continent answers within a tenth of this."""
_KEEPALIVE_S: Final = 30
"""The broker finds a dead ingest after 45 s, and ingest a dead broker."""
_FAREWELL_S: Final = 1.0
"""A connection that does not take a DISCONNECT within a second is stuck."""
_UNSENT_PUBLICATIONS: Final = 10_000
"""Cursors that wait to be sent; they are told again with the next commit, so dropping one only delays it."""

SESSION_TAKEN_OVER: Final = 0x8E
"""MQTT 5, 3.14.2.1: another client has connected with the same client id."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Message:
    """One message of one connection; `received_at` is ns of this machine's clock."""

    topic: str
    payload: bytes
    received_at: int
    mid: int
    qos: int
    connection: "_Connection"


class _Connection:
    """One client, from CONNECT to its end. Callbacks run in paho's thread and only pass things on."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        settings: Settings,
        messages: "queue.Queue[Message]",
        subscriptions: Sequence[str] = SUBSCRIPTIONS,
    ) -> None:
        self._subscriptions = subscriptions
        self.lost = threading.Event()
        self.taken_over = False
        self.dropped = 0
        self.dropped_by_broker: int | None = None
        self._settings = settings
        self._messages = messages
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._refused = ""
        self._broker = broker
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=paho.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        use_tls(client, broker)
        client.max_queued_messages_set(_UNSENT_PUBLICATIONS)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self.client = client

    def open(self) -> None:
        """Connect and subscribe, or raise UnavailableError."""
        asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own annotations end here
        asked.SessionExpiryInterval = self._settings.session_expiry_s if self._subscriptions else 0
        asked.ReceiveMaximum = self._settings.receive_maximum
        asked.MaximumPacketSize = self._settings.packet_bytes
        try:
            self.client.connect(
                self._broker.host, self._broker.port, _KEEPALIVE_S, clean_start=False, properties=asked
            )
        except OSError as error:
            raise self._away(why_not(error, self._broker)) from error
        self.client.loop_start()
        self._await(self._connected, "does not answer")
        if not self._subscriptions:
            return
        self.client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._subscriptions])
        self._await(self._subscribed, "does not confirm the subscription")
        self.client.subscribe(DROPPED, options=SubscribeOptions(qos=0))  # a broker may refuse: it is only an alarm

    def close(self) -> None:
        """End the connection; the session stays, and with it whatever was not acknowledged."""
        self.client.on_message = None
        self.client.disconnect()
        connection = self.client.socket()
        if isinstance(connection, socket.socket) and not self.lost.wait(_FAREWELL_S):
            with contextlib.suppress(OSError):  # it may just have gone
                connection.shutdown(socket.SHUT_RDWR)  # else paho would wait until its keepalive runs out
        self.client.loop_stop()
        self.lost.set()
        # without its way back to us the client ends with this object, and closes the sockets it still has
        self.client.on_connect = self.client.on_subscribe = self.client.on_disconnect = None

    def _await(self, event: threading.Event, otherwise: str) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while not event.wait(0.05):
            if self._refused or self.lost.is_set() or time.monotonic() > deadline:
                if self.lost.is_set() and not self._refused and event is self._connected:
                    raise self._away(why_ended(self._broker))
                raise self._away(self._refused or otherwise)

    def _away(self, said: str) -> UnavailableError:
        return UnavailableError(
            f"The broker cannot be used: {said}.", hint="Is it running, and is SOJOURN_MQTT_URL right?"
        )

    def _on_connect(
        self, _client: paho.Client, _userdata: Any, _flags: paho.ConnectFlags, reason: ReasonCode, _said: Any
    ) -> None:
        if reason.is_failure:
            self._refused = f"it refuses the connection: {refused_because(reason)}"
        else:
            self._connected.set()

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _said: Any
    ) -> None:
        refused = [reason for reason in reasons if reason.is_failure]
        if self._subscribed.is_set():
            return
        if refused:
            self._refused = f"it refuses the subscription: {refused_because(refused[0])}"
        else:
            self._subscribed.set()

    def _on_disconnect(
        self, _client: paho.Client, _userdata: Any, _flags: paho.DisconnectFlags, reason: ReasonCode, _said: Any
    ) -> None:
        self.taken_over = reason.value == SESSION_TAKEN_OVER
        self.lost.set()

    def _hear_dropped(self, count: int) -> None:
        before, self.dropped_by_broker = self.dropped_by_broker, count
        if before is not None and count > before:
            _log.warning("the broker dropped messages; their edges send them again", messages=count - before)

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.topic == DROPPED:
            with contextlib.suppress(ValueError):
                self._hear_dropped(int(message.payload))
            return
        received = Message(message.topic, bytes(message.payload), time.time_ns(), message.mid, message.qos, self)
        try:
            self._messages.put_nowait(received)
        except queue.Full:
            if message.qos == 0:  # whoever publishes like this accepts that messages are dropped
                self.dropped += 1
            else:
                _log.warning("the broker sends more than was asked for; the connection is closed and it sends again")
                self.lost.set()


class Subscriber:
    """Messages from the broker, as many as may be open at once.

    All methods are to be called from one thread.

    Parameters
    ----------
    mqtt_url : str
        mqtt://[user:secret@]host[:port], or mqtts:// for TLS.
    client_id : str
        Names the broker's session.
    settings : Settings
    credentials : Path, optional
        Folder with our certificate at the broker.
    subscriptions : sequence of str, optional
        Other topics than those of all edges; none for a client that only publishes, and then without a session.

    Raises
    ------
    ConfigurationError
        If the URL or the credentials cannot be used.
    """

    def __init__(
        self,
        mqtt_url: str,
        client_id: str,
        settings: Settings,
        credentials: Path | None = None,
        *,
        subscriptions: Sequence[str] = SUBSCRIPTIONS,
    ) -> None:
        self._subscriptions = subscriptions
        self._broker = Broker.from_url(mqtt_url, credentials)
        self._client_id = client_id
        if self._broker.tls:  # what is wrong with the files is said now; later ones are waited for
            client_context(self._broker, datetime.now(UTC))
        self._settings = settings
        self._messages: queue.Queue[Message] = queue.Queue(settings.receive_maximum)
        self._connection: _Connection | None = None

    @property
    def shared(self) -> bool:
        """One session brings the messages of all stores."""
        return False

    def holds(self, store: str) -> bool:
        """Every store's messages come here."""
        del store
        return True

    def gained(self) -> bool:
        """No: all stores are here from the beginning."""
        return False

    @property
    def connected(self) -> bool:
        """Whether the newest connection still stands, as far as is known."""
        return self._connection is not None and not self._connection.lost.is_set()

    @property
    def taken_over(self) -> bool:
        """Whether the newest connection ended because somebody else connected by its name."""
        return self._connection is not None and self._connection.taken_over

    @property
    def queued(self) -> int:
        """Messages received and not yet taken."""
        return self._messages.qsize()

    @property
    def dropped_by_broker(self) -> int | None:
        """Messages that the broker dropped since it started, for whomever; None until it tells."""
        return None if self._connection is None else self._connection.dropped_by_broker

    def connect(self, parting: Parting | None = None) -> None:
        """Begin a new connection; what was queued from earlier ones is forgotten, for the broker sends it again.

        Parameters
        ----------
        parting : callable, optional
            Never called: no store goes elsewhere.

        Raises
        ------
        UnavailableError
            If the broker is away or refuses, or the certificates cannot be used any more.
        """
        del parting
        self.drop()
        try:
            connection = _Connection(
                self._broker, self._client_id, self._settings, self._messages, self._subscriptions
            )
        except ConfigurationError as error:
            raise UnavailableError(error.what, hint=error.hint) from error
        try:
            connection.open()
        except UnavailableError:
            connection.close()
            raise
        self._connection = connection

    def take(self, *, wait_s: float, gather_s: float) -> list[Message]:
        """Return the next messages of this connection in order of receipt, at most one commit's worth.

        Waits up to `wait_s` for the first and `gather_s` for more to come.
        """
        taken: list[Message] = []
        deadline = time.monotonic() + wait_s
        while len(taken) < self._settings.commit_messages:
            try:
                message = self._messages.get(timeout=max(deadline - time.monotonic(), 0.0))
            except queue.Empty:
                break
            if message.connection is self._connection:
                if not taken:
                    deadline = time.monotonic() + gather_s
                taken.append(message)
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker, in this order, that it may forget these messages."""
        for message in messages:
            message.connection.client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a retained message at QoS 1; while the broker is away it is dropped."""
        if self._connection is not None and self.connected:
            self._connection.client.publish(topic, payload, qos=1, retain=True)

    def drop(self) -> None:
        """End the connection so that the broker sends again what was not acknowledged."""
        if self._connection is not None:
            self._connection.close()
            if self._connection.dropped:
                _log.warning("messages at QoS 0 were dropped", messages=self._connection.dropped)
            self._connection = None
        while True:
            try:
                self._messages.get_nowait()
            except queue.Empty:
                break
