"""The broker: is it there, does it let us in, and until when does its certificate hold."""

import socket
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import SojournError
from doctor.certificates import check_der, check_files
from doctor.findings import Finding, fail, ok, warn
from edge.broker import CA, CERTIFICATE, Broker, identities
from edge.tls import refused_because, said_of_files, why_ended, why_not

PATIENCE_S: Final = 5.0
_RUNNING: Final = "Is it running, and is SOJOURN_MQTT_URL right?"
_SESSION_S: Final = 7 * 24 * 3600
"""As services ask for: whoever comes by a service's certificate is the same client to the broker, and a session that
were to end with this connection would take along what waits for the service."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def check_broker(mqtt_url: str, credentials: Path | None = None) -> list[Finding]:
    """Connect as a client does, and look at what is shown.

    Parameters
    ----------
    mqtt_url : str
        mqtt://[user:secret@]host[:port], or mqtts:// for TLS.
    credentials : Path, optional
        Folder with `ca.pem`, and `certificate.pem` and `key.pem` where the broker wants to know us; or with a folder
        for each of several identities, the last of which is tried.
    """
    folders: tuple[Path | None, ...] = (None,) if credentials is None else identities(credentials)
    tried = folders[-1]
    try:
        broker = Broker.from_url(mqtt_url)
    except SojournError as error:
        return [fail("broker", "Its URL cannot be read.", error.hint or "It looks like mqtts://host:8883.")]
    findings: list[Finding] = []
    if tried is not None:
        try:
            broker = broker.with_credentials(tried)
        except SojournError as error:
            findings.append(fail("our certificate", error.what, error.hint or "docs/transport.md says how."))
            broker = replace(broker, ca=tried / CA if broker.tls and (tried / CA).is_file() else None)
    if broker.tls:
        findings += [finding for folder in folders for finding in _files(folder, credentials)]
        shown = _handshake(broker)
        if isinstance(shown, Finding):
            return [*findings, shown]
        findings += [
            ok("TLS of the broker", f"{shown[0]}, trusted, its name fits."),
            check_der("its certificate", shown[1]),
        ]
    elif broker.host not in _LOOPBACK:
        findings.append(
            warn("TLS of the broker", "The connection is not encrypted.", "Use mqtts://, docs/protect.md says how.")
        )
    return [*findings, _connect(broker)]


def _files(folder: Path | None, credentials: Path | None) -> list[Finding]:
    if folder is None:
        return []
    whose = "" if folder == credentials else f" {folder.name}"
    return [
        check_files(f"{what}{whose}", folder / name)
        for what, name in (("whom we trust", CA), ("our certificate", CERTIFICATE))
        if (folder / name).exists()
    ]


def _context(broker: Broker) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=broker.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.certificate is not None:
        context.load_cert_chain(broker.certificate, broker.key, password="")
    return context


def _handshake(broker: Broker) -> tuple[str, bytes] | Finding:
    try:
        context = _context(broker)
    except OSError as error:  # an SSLError is one, too
        return fail(
            "our certificate", _sentence(said_of_files(error, broker)), "docs/transport.md says how it is made."
        )
    try:
        with (
            socket.create_connection((broker.host, broker.port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=broker.host) as line,
        ):
            return str(line.version()), line.getpeercert(binary_form=True) or b""
    except (ssl.SSLError, ConnectionResetError) as error:
        return _told("TLS of the broker", why_not(error, broker))
    except OSError as error:
        return _not_reached(error)


def _not_reached(error: OSError) -> Finding:
    """Say it without the host: that stands in the setting, and a finding goes into tickets."""
    if isinstance(error, socket.gaierror):
        return fail("broker", "Its host is not known here.", "Is the host in SOJOURN_MQTT_URL right?")
    if isinstance(error, ConnectionRefusedError):
        return fail("broker", "Nobody listens at that host and port.", _RUNNING)
    if isinstance(error, TimeoutError):
        return fail(
            "broker",
            f"It does not answer within {PATIENCE_S:.0f} s.",
            "Is the machine on, and does no firewall stand between?",
        )
    return fail("broker", f"It cannot be reached: {error.strerror or error}.", _RUNNING)


def _told(what: str, said: str) -> Finding:
    """Return a finding of a sentence of `edge.tls`: what is wrong; what to do."""
    says, _, do = said.partition("; ")
    return fail(what, _sentence(says), _sentence(do) if do else "Look at the log of the broker.")


def _sentence(said: str) -> str:
    said = f"{said[:1].upper()}{said[1:]}"
    return said if said.endswith(("?", ".")) else f"{said}."


def _connect(broker: Broker) -> Finding:
    answered, ended, refused = threading.Event(), threading.Event(), ""

    def on_connect(_client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _said: Any) -> None:
        nonlocal refused
        refused = f"it refuses us: {refused_because(reason)}" if reason.is_failure else ""
        answered.set()

    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        f"sojourn-doctor-{token_hex(4)}",
        protocol=paho.MQTTv5,
        manual_ack=True,  # what waits for the service is the service's to acknowledge
        reconnect_on_failure=False,
    )

    def on_disconnect(*_told: object) -> None:
        nonlocal refused
        if not answered.is_set():
            ended.set()
            answered.set()

    client.on_connect, client.on_disconnect = on_connect, on_disconnect
    client.connect_timeout = PATIENCE_S
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        client.tls_set_context(_context(broker))
    begun_s = time.monotonic()
    try:
        asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own annotations end here
        asked.SessionExpiryInterval = _SESSION_S if broker.tls else 0
        client.connect(broker.host, broker.port, clean_start=not broker.tls, properties=asked)
        client.loop_start()
        heard = answered.wait(PATIENCE_S)
    except OSError as error:
        return _not_reached(error)
    finally:
        took_ms = (time.monotonic() - begun_s) * 1000
        client.disconnect()
        client.loop_stop()
    if not heard:
        return fail("broker", f"It says nothing for {PATIENCE_S:.0f} s.", "Does that port speak MQTT 5?")
    if ended.is_set():
        return _told("broker", why_ended(broker))
    if refused:
        return _told("broker", refused)
    # MQTT has no way to ask a broker for its time
    return ok("broker", f"It lets us in within {took_ms:.0f} ms; it has no clock to ask.")
