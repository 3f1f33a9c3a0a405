"""`sojourn app-presence`: between the API's database and the broker, for apps.

Batches of the outbox go to `sojourn/1/{store}/app/signals`, as from any edge, until ingest's cursor is past them.
Messages on `sojourn/1/{store}/app/presence` are taken in as `POST /v1/app/presence` takes them, and acknowledged to
the broker after the commit. It may run several times and be killed at any time: a batch has its number since it was
taken in, a message its idempotency key.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import ValidationError

from api.app_presence.models import PresenceIn, PresenceMessage
from api.app_presence.taking import take
from api.problems import ProblemError
from core.errors import InputError, UnavailableError
from edge.broker import Broker, Topics
from edge.tls import ends_at, refused_because, take_renewed, use_tls, why_ended
from storage.app.outbox import EDGE, outboxes, remove_committed, take_due
from storage.connect import Connection, read_url
from storage.inputs.idempotency import once
from storage.occupancy import PlanCache
from storage.writing import Writer
from telemetry.exposition import exposed, make_registry

TICK_S: Final = 0.25
"""How often the outbox is looked at: a quarter of the second that a signal may be on its way to the page."""
STATUS_S: Final = 10.0
AT_ONCE: Final = 500
MESSAGE_BYTES: Final = 262_144
"""A thousand events of 200 bytes, and some."""
WAITING_MOST: Final = 1000
"""Messages of the broker that wait for the database; as many as it sends without an acknowledgement."""
_AWAY_S: Final = 2.0
_SESSION_S: Final = 86_400
_KEEPALIVE_S: Final = 15
_TOPIC: Final = "sojourn/1/+/app/presence"

log = structlog.get_logger()


def run(
    database_url: str,
    mqtt_url: str,
    stop: threading.Event,
    *,
    credentials: Path | None = None,
    metrics: str = "",
) -> None:
    """Forward until told to stop; survives the absence of database and broker.

    `metrics` is the address that counts are served on, such as 127.0.0.1:9467; empty: nowhere.

    Raises
    ------
    ConfigurationError
        If a URL, an address or the credentials cannot be used.
    UnavailableError
        If `metrics` cannot be listened on.
    """
    read_url(database_url)
    forwarder = _Forwarder(database_url, Broker.from_url(mqtt_url, credentials))
    registry = make_registry("app-presence")
    registry.register(forwarder)
    with exposed(registry, metrics):
        _forward(forwarder, stop)


def _forward(forwarder: "_Forwarder", stop: threading.Event) -> None:
    forwarder.start()
    try:
        while not stop.is_set():
            try:
                forwarder.turn()
                stop.wait(TICK_S)
            except UnavailableError as error:
                forwarder.say(str(error))
                stop.wait(_AWAY_S)
    finally:
        forwarder.close()


class _Forwarder(Collector):
    def __init__(self, database_url: str, broker: Broker) -> None:
        self._writer = Writer(database_url, application_name="sojourn app-presence")
        self._plans = PlanCache()
        self._arrived: deque[tuple[mqtt.MQTTMessage, datetime]] = deque(maxlen=WAITING_MOST)
        self._connected = threading.Event()
        self._states: dict[str, tuple[str, float]] = {}
        self._said = ""
        self._published_count = self._taken_count = 0
        self._broker = broker
        name = f"sojourn-app-presence-{sha256(database_url.encode()).hexdigest()[:8]}"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, manual_ack=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._tls = use_tls(self._client, broker)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)

    def collect(self) -> Iterator[Metric]:
        """Give every count when a Prometheus asks."""
        name = "sojourn_app_presence"
        yield GaugeMetricFamily(f"{name}_connected", "1 while the broker is there.", self._connected.is_set())
        yield GaugeMetricFamily(f"{name}_waiting_messages", "Messages of apps not yet taken.", len(self._arrived))
        yield CounterMetricFamily(f"{name}_taken_messages", "Messages of apps that were taken.", self._taken_count)
        yield CounterMetricFamily(f"{name}_published_batches", "Batches published, again too.", self._published_count)

    def start(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho has it
        properties.SessionExpiryInterval = _SESSION_S
        properties.ReceiveMaximum = WAITING_MOST
        self._client.connect_async(
            self._broker.host, self._broker.port, _KEEPALIVE_S, clean_start=False, properties=properties
        )
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._writer.close()

    def say(self, what: str) -> None:
        if what != self._said:
            log.warning("apps are not forwarded", reason=what)
        self._said = what

    def turn(self) -> None:
        """Take in what has arrived, publish what is due, tell how each store's apps are."""
        while self._arrived:
            arrived = self._arrived[0]
            self._take(*arrived)
            with suppress(IndexError):  # the connection ended meanwhile: then it is sent again, and counts once
                if self._arrived[0] is arrived:
                    self._client.ack(arrived[0].mid, arrived[0].qos)
                    self._arrived.popleft()
                    self._taken_count += 1
        if not self._connected.is_set():
            return
        self._writer.write(remove_committed)
        for due in self._writer.write(lambda connection: take_due(connection, AT_ONCE)):
            self._client.publish(Topics(due.store, EDGE).signals, due.payload, qos=1)
            self._published_count += 1
        self._tell()
        if self._said:
            log.info("apps are forwarded again")
            self._said = ""

    def _tell(self) -> None:
        """Say `online` while something waits, `stopped` when nothing does: no visit waits for silent apps."""
        now = datetime.now(UTC).timestamp()
        for box in self._writer.write(outboxes):
            state = "online" if box.waiting else "stopped"
            told, at = self._states.get(box.store, ("", 0.0))
            if state == told and (state == "stopped" or now - at < STATUS_S):
                continue
            self._states[box.store] = (state, now)
            ends = ends_at(self._broker)
            until = "" if ends is None else f',"certificate_until_us":{int(ends.timestamp()) * 1_000_000}'
            said = (
                f'{{"state":"{state}","boot":"{box.boot.hex()}","at_us":{int(now * 1e6)},"anchors":[],'
                f'"backlog":{box.waiting},"dropped":0{until}}}'
            )
            self._client.publish(Topics(box.store, EDGE).status, said, qos=1, retain=True)

    def _take(self, message: mqtt.MQTTMessage, received_at: datetime) -> None:
        """Take one message in; what cannot be is said by its reason alone, as nobody waits for an answer."""
        store = message.topic.split("/")[2]
        try:
            if len(message.payload) > MESSAGE_BYTES:
                raise InputError("The message is too long.")
            said = PresenceMessage.model_validate_json(bytes(message.payload))
            if said.store != store:
                raise InputError("The store is not that of the topic.")
            self._writer.write(lambda connection: self._once(connection, said, received_at))
        except (ProblemError, InputError, ValidationError) as error:
            log.warning("what an app told is refused", store=store, reason=type(error).__name__, why=_why(error))

    def _once(self, connection: Connection, said: PresenceMessage, received_at: datetime) -> None:
        content = said.model_dump_json(exclude={"sent_at"}).encode()  # also the token: keys are each app's own
        path = f"mqtt {sha256(said.token.encode()).hexdigest()[:16]}"
        once(
            connection,
            said.idempotency_key,
            path,
            sha256(content).digest(),
            lambda: (200, self._taken(connection, said, received_at)),
        )

    def _taken(self, connection: Connection, said: PresenceMessage, received_at: datetime) -> Any:
        given = PresenceIn(store=said.store, events=said.events)
        taken = take(
            connection,
            token=said.token,
            key=said.idempotency_key,
            given=given,
            find_plan=self._plans.get,
            sent_at=said.sent_at,
            received_at=received_at,
        )
        return taken.model_dump(mode="json")

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            self.say(f"The broker refuses us: {refused_because(reason)}.")
            return
        self._states.clear()  # retained words may be of before
        self._connected.set()
        client.subscribe(_TOPIC, qos=1)

    def _on_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self.say("The broker cannot be reached.")

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            ended = f"ended: {reason}" if self._connected.is_set() else f"was refused: {why_ended(self._broker)}"
            self.say(f"The connection to the broker {ended}.")
        take_renewed(self._tls, self._broker)
        self._connected.clear()
        self._arrived.clear()  # not acknowledged: the broker sends them again

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._arrived.append((message, datetime.now(UTC)))


def _why(error: Exception) -> str:
    """Return a reason without what was sent: it may hold a token."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors()[:5])
    return error.what if isinstance(error, InputError) else str(error)
