"""The broker: is it there, does it let us in, and until when does its certificate hold."""

import socket
import ssl
import threading
import time
from pathlib import Path
from secrets import token_hex
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doctor.certificates import check_der, check_files
from doctor.findings import Finding, fail, ok, warn
from edge.broker import CA, CERTIFICATE, KEY, identities

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
    url = urlsplit(mqtt_url)
    if url.scheme not in ("mqtt", "mqtts") or url.hostname is None:
        return [fail("broker", "Its URL cannot be read.", "It looks like mqtt://host:1883 or mqtts://host:8883.")]
    secure = url.scheme == "mqtts"
    port = url.port if url.port is not None else 8883 if secure else 1883
    findings: list[Finding] = []
    if secure:
        findings += [finding for folder in folders for finding in _files(folder, credentials)]
        shown = _handshake(url.hostname, port, tried)
        if isinstance(shown, Finding):
            return [*findings, shown]
        findings += [
            ok("TLS of the broker", f"{shown[0]}, trusted, its name fits."),
            check_der("its certificate", shown[1]),
        ]
    elif url.hostname not in _LOOPBACK:
        findings.append(
            warn("TLS of the broker", "The connection is not encrypted.", "Use mqtts://, docs/protect.md says how.")
        )
    findings.append(_connect(url, port, _context(tried) if secure else None))
    return findings


def _files(folder: Path | None, credentials: Path | None) -> list[Finding]:
    if folder is None:
        return []
    whose = "" if folder == credentials else f" {folder.name}"
    return [
        check_files(f"{what}{whose}", folder / name)
        for what, name in (("whom we trust", CA), ("our certificate", CERTIFICATE))
        if (folder / name).exists()
    ]


def _context(credentials: Path | None) -> ssl.SSLContext:
    ca = None if credentials is None or not (credentials / CA).exists() else credentials / CA
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if credentials is not None and (credentials / CERTIFICATE).exists():
        context.load_cert_chain(credentials / CERTIFICATE, credentials / KEY, password="")
    return context


def _handshake(host: str, port: int, credentials: Path | None) -> tuple[str, bytes] | Finding:
    try:
        context = _context(credentials)
        with (
            socket.create_connection((host, port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as line,
        ):
            return str(line.version()), line.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError as error:
        return fail("TLS of the broker", f"Its certificate: {error.verify_message}.", "Trust who signed it: ca.pem.")
    except ssl.SSLError as error:
        return fail("TLS of the broker", f"It fails: {error.reason}.", "Does that port speak TLS 1.2 or newer?")
    except OSError as error:
        return fail("broker", f"It cannot be reached: {error.strerror or error}.", _RUNNING)


def _connect(url: SplitResult, port: int, context: ssl.SSLContext | None) -> Finding:
    answered, refused = threading.Event(), ""

    def on_connect(_client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _said: Any) -> None:
        nonlocal refused
        refused = str(reason) if reason.is_failure else ""
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
            refused = "it ends the connection"
            answered.set()

    client.on_connect, client.on_disconnect = on_connect, on_disconnect
    client.connect_timeout = PATIENCE_S
    if url.username is not None:
        client.username_pw_set(unquote(url.username), None if url.password is None else unquote(url.password))
    if context is not None:
        client.tls_set_context(context)
    begun_s = time.monotonic()
    try:
        asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own annotations end here
        asked.SessionExpiryInterval = _SESSION_S if context is not None else 0
        client.connect(str(url.hostname), port, clean_start=context is None, properties=asked)
        client.loop_start()
        heard = answered.wait(PATIENCE_S)
    except OSError as error:
        return fail("broker", f"It cannot be reached: {error.strerror or error}.", _RUNNING)
    finally:
        took_ms = (time.monotonic() - begun_s) * 1000
        client.disconnect()
        client.loop_stop()
    if not heard:
        return fail("broker", f"It says nothing for {PATIENCE_S:.0f} s.", "Does that port speak MQTT 5?")
    if refused:
        return fail("broker", f"It refuses us: {refused}.", "Look at user, password, certificate and access list.")
    # MQTT has no way to ask a broker for its time
    return ok("broker", f"It lets us in within {took_ms:.0f} ms; it has no clock to ask.")
