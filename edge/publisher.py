"""Sends the rows of the outbox over MQTT 5 and removes what ingest says its database has.

A connection is disposable: every one has a fresh client, so nothing waits anywhere but in the outbox, and at most a
window of rows is on its way.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential
from tenacity.nap import sleep_using_event

from core.errors import SojournError, UnavailableError
from core.wire import BOOT_BYTES, SEQUENCE_MAX
from edge.broker import Broker, Topics
from edge.clock import Clock
from edge.outbox import Outbox
from edge.tls import refused_because, use_tls, why_ended, why_not
from edge.window import Step, Window

STATUS_S: Final = 10.0
"""How often the status is told: a fleet page that is ten seconds old is fresh."""
_KEEPALIVE_S: Final = 15  # a dead link is noticed after at most one and a half times this
_CONNECT_S: Final = 5.0
_FAREWELL_S: Final = 2.0  # for the last status to reach the broker
_BACKOFF_S: Final = (0.2, 30.0)
_COMMITTED_BYTES: Final = 4096  # eight boots need 500
_NOBODY: Final = 0x10  # PUBACK "No matching subscribers", MQTT 5.0, 3.4.2.1

log = structlog.get_logger()


class _Committed(msgspec.Struct, frozen=True):
    boots: dict[str, int]


class _LostError(Exception):
    """The connection is of no use any more."""


class Publisher:
    """Carries rows from the outbox to the broker in a thread of its own.

    Parameters
    ----------
    broker, topics, outbox, clock
        Where to, as whom, from where, and the time.
    status : callable
        Given "online", "offline" or "stopped", returns the message for the status topic.
    on_config : callable or None
        Takes what the config topic says, in this publisher's thread; None: it is not read.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        clock: Clock,
        status: Callable[[str], bytes],
        *,
        on_config: Callable[[bytes], None] | None = None,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._outbox = outbox
        self._clock = clock
        self._status = status
        self._on_config = on_config
        self._window = Window()
        self._link = _Link()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"publish {topics.edge}", daemon=True)
        self._told_s = 0.0
        self._said: set[str] = set()  # reasons given since it last delivered; there are a handful
        self.sent = 0
        """Messages handed to the client, repeated ones included."""

    @property
    def running(self) -> bool:
        """Whether its thread is at work."""
        return self._thread.is_alive()

    @property
    def connected(self) -> bool:
        """Whether the broker is there at the moment."""
        return self._link.connected

    def start(self) -> None:
        """Start connecting; returns at once."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that the outbox has new rows."""
        self._link.notify()

    def stop(self) -> None:
        """Say goodbye and end; rows that are not committed stay in the outbox."""
        self._stop.set()
        self._link.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type(_LostError),
            wait=wait_random_exponential(multiplier=_BACKOFF_S[0], max=_BACKOFF_S[1]),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            retry_error_callback=lambda _: None,
        )
        while not self._stop.is_set():
            retrying(self._one_connection)

    def _one_connection(self) -> None:
        """Live through one connection; whatever fails in it costs the connection, never the thread."""
        try:
            self._connection()
        except _LostError:
            raise
        except Exception as error:  # an edge whose thread has ended delivers nothing until somebody restarts it
            fault = f"a fault of this program: {error!r}"
            if fault not in self._said:
                log.exception("the connection to the broker is given up", edge=self._topics.edge)
            self._say_once(fault)
            raise _LostError(fault) from error

    def _connection(self) -> None:
        """Live through one connection; return if it was of use, so that the next one is tried at once."""
        self._link = link = _Link()
        try:
            client = self._client(link)
        except _LostError as lost:
            self._say_once(str(lost))
            raise
        try:
            self._connect(client, link)
            self._serve(client, link)
        except _LostError as lost:
            self._say_once(str(lost))
            if not link.of_use:
                raise
        finally:
            if self._stop.is_set() and link.connected:
                _await(client.publish(self._topics.status, self._status("stopped"), qos=1, retain=True))
            _end(client, link)

    def _client(self, link: "_Link") -> mqtt.Client:
        # with one id the broker ends an older connection, and tells its last will, before it takes the new one
        name = f"sojourn-{self._topics.store}-{self._topics.edge}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        try:  # certificates are read at each connection, so that new ones are taken into use without a restart
            use_tls(client, self._broker)
        except SojournError as error:
            raise _LostError(str(error)) from error
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.connect_timeout = _CONNECT_S
        client.will_set(self._topics.status, self._status("offline"), qos=1, retain=True)
        client.on_connect = link.on_connect
        client.on_disconnect = link.on_disconnect
        client.on_subscribe = link.on_subscribe
        client.on_publish = link.on_publish
        client.on_message = link.on_message
        return client

    def _connect(self, client: mqtt.Client, link: "_Link") -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho has it
        properties.SessionExpiryInterval = 0  # the outbox is the session
        try:
            client.connect(
                self._broker.host, self._broker.port, _KEEPALIVE_S, clean_start=True, properties=properties
            )
        except (OSError, ValueError) as error:
            raise _LostError(f"the broker cannot be reached: {why_not(error, self._broker)}") from error
        client.loop_start()
        if not link.wait_for(lambda: link.connected or link.lost is not None, _CONNECT_S) or link.lost is not None:
            if link.lost is not None and not link.answered:
                raise _LostError(f"the broker does not let this edge in: {why_ended(self._broker)}")
            silent = f"the broker took the connection and does not answer within {_CONNECT_S:.0f} s; look at its load"
            raise _LostError(link.lost if link.lost is not None else silent)
        if self._on_config is None:
            client.subscribe(self._topics.committed, qos=1)
        else:
            client.subscribe([(self._topics.committed, 1), (self._topics.config, 1)])
        self._window.forget(self._clock.monotonic_s())
        self._hello(client)

    def _serve(self, client: mqtt.Client, link: "_Link") -> None:
        """Send and acknowledge until the end, or until everything has to be sent again."""
        while not self._stop.is_set():
            step = self._turn(client, link)
            if step is Step.SEND_AGAIN:  # over a new connection: this client may still hold the messages
                return
            if not self._send(client):
                link.wait(1.0)

    def _turn(self, client: mqtt.Client, link: "_Link") -> Step:
        """Act on what was noted and say hello if that is due; return what the window asked for."""
        self._take_notice(link)
        now_s = self._clock.monotonic_s()
        step = self._window.step(now_s)
        if step is Step.HELLO or (step is Step.WAIT and now_s - self._told_s >= STATUS_S):
            self._hello(client)
            if step is Step.HELLO:
                self._window.asked(now_s)
        return step

    def _take_notice(self, link: "_Link") -> None:
        """Act on what the client's thread has noted."""
        lost, refused, committed, answered = link.take()
        config = link.take_config()
        if config is not None and self._on_config is not None:
            self._on_config(config)
            self._told_s = -STATUS_S  # the status says at once what became of it
        now_s = self._clock.monotonic_s()
        for boot, sequence in committed.items():
            try:
                self._outbox.acknowledge(boot, sequence)
            except UnavailableError as error:
                raise _LostError(str(error)) from error
            link.of_use |= self._window.committed(boot, sequence, now_s)
        if link.of_use and self._said:
            log.info("delivering again", edge=self._topics.edge)
            self._said.clear()
        if answered:
            self._window.answered()
        if refused is not None:
            self._say_once(refused)
            self._window.refused(now_s)
        if lost is not None:
            raise _LostError(lost)

    def _send(self, client: mqtt.Client) -> bool:
        """Fill the window; return whether there may be more to send at once."""
        free = self._window.free
        if free <= 0:
            return False
        try:
            rows = self._outbox.after(self._window.behind, free)
        except UnavailableError as error:
            raise _LostError(str(error)) from error
        for row in rows:
            info = client.publish(self._topics.signals, row.payload, qos=1)
            if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise _LostError(f"the broker is gone: {mqtt.error_string(info.rc)}")
            self._window.sent(row, self._clock.monotonic_s())
            self.sent += 1
        return len(rows) == free and self._window.free > 0

    def _hello(self, client: mqtt.Client) -> None:
        client.publish(self._topics.status, self._status("online"), qos=1, retain=True)
        self._told_s = self._clock.monotonic_s()

    def _say_once(self, what: str) -> None:
        if what not in self._said:
            log.warning("not delivering, keeping everything", edge=self._topics.edge, reason=what)
            self._said.add(what)


class _Link:
    """What paho's thread notes and the publisher's thread reads. Newest wins, so nothing can pile up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._noted = False
        self.connected = False
        self.answered = False  # whether the broker took or refused the CONNECT
        self.of_use = False  # something was committed over this connection
        self.lost: str | None = None
        self._refused: str | None = None
        self._committed: dict[bytes, int] = {}
        self._answered = False
        self._config: bytes | None = None

    def notify(self) -> None:
        with self._changed:
            self._noted = True
            self._changed.notify_all()

    def wait(self, most_s: float) -> None:
        """Wait until something is noted."""
        with self._changed:
            self._changed.wait_for(lambda: self._noted, most_s)
            self._noted = False

    def wait_for(self, what: Callable[[], bool], most_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(what, most_s)

    def take(self) -> tuple[str | None, str | None, dict[bytes, int], bool]:
        """Return and clear: lost, refused, committed cursors by boot, whether ingest spoke by itself."""
        with self._changed:
            taken = (self.lost, self._refused, self._committed, self._answered)
            self._refused, self._committed, self._answered = None, {}, False
        return taken

    def take_config(self) -> bytes | None:
        """Return and clear what the config topic said last."""
        with self._changed:
            config, self._config = self._config, None
        return config

    def on_connect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.answered = True
        if reason.is_failure:
            self.lost = f"the broker refuses this edge: {refused_because(reason)}"
        else:
            self.connected = True
        self.notify()

    def on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _p: Any) -> None:
        self.connected = False
        if self.lost is None:
            self.lost = f"the connection to the broker ended: {reason}"
        self.notify()

    def on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        if reasons[0].is_failure:
            self.lost = f"the broker does not let this edge read what is committed: {refused_because(reasons[0])}"
            self.notify()
        elif reasons[-1].is_failure:
            log.warning(
                "the broker does not let this edge read its configuration", reason=refused_because(reasons[-1])
            )

    def on_publish(self, _client: mqtt.Client, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker refuses messages: {refused_because(reason)}"
            self.notify()
        elif reason.value == _NOBODY:
            self._refused = "no ingest has subscribed at the broker yet; start `sojourn ingest` with this broker"
            self.notify()

    def on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/config"):
            with self._changed:
                self._config = bytes(message.payload)
            self.notify()
            return
        if len(message.payload) > _COMMITTED_BYTES:
            return
        try:
            said = msgspec.json.decode(message.payload, type=_Committed)
            cursors = {bytes.fromhex(boot): sequence for boot, sequence in said.boots.items()}
        except (msgspec.MsgspecError, ValueError, RecursionError):
            log.warning("what is said to be committed cannot be read", topic=message.topic)
            return
        with self._changed:
            self._committed |= {
                boot: at for boot, at in cursors.items() if len(boot) == BOOT_BYTES and 0 <= at <= SEQUENCE_MAX
            }
            self._answered |= not message.retain
            self._noted = True
            self._changed.notify_all()


def _end(client: mqtt.Client, link: "_Link") -> None:
    client.disconnect()
    connection = client.socket()
    gone = link.wait_for(lambda: not link.connected, _FAREWELL_S)
    if not gone and isinstance(connection, socket.socket):
        with suppress(OSError):  # it may just have gone
            connection.shutdown(socket.SHUT_RDWR)  # else paho's thread would wait for its keepalive
    client.loop_stop()


def _await(info: mqtt.MQTTMessageInfo) -> None:
    try:
        info.wait_for_publish(_FAREWELL_S)
    except (RuntimeError, ValueError):
        log.info("the last status did not reach the broker")
