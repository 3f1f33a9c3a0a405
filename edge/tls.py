"""TLS to the broker, for everybody who connects there; what goes wrong becomes a sentence that says what to do.

The broker is checked against whom we trust and against its name; we are known by our own certificate. TLS 1.3, or
1.2 with a broker that has no newer one.
"""

import errno
import os
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from paho.mqtt import client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import ConfigurationError, SojournError, UnavailableError
from edge.broker import Broker

RENEW_BEFORE: Final = timedelta(days=30)
"""A month before its end a certificate is spoken of: time for a request to travel to whoever signs."""

_ASK_S: Final = 2.0
"""A broker refuses within a round trip."""
_EXPIRED, _NOT_YET, _OTHER_HOST, _OTHER_ADDRESS = 10, 9, 62, 64  # X509_V_ERR_… of OpenSSL
_STRANGERS: Final = frozenset({18, 19, 20, 21, 7})  # self-signed, unknown issuer, wrong signature
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING")
"""What OpenSSL says where the other side answers in the open, or hangs up at the first word of TLS."""
_ALERT: Final = re.compile(r"ALERT_([A-Z_]+)|alert ([a-z ]+?) *\(")
_REFUSALS: Final = {
    "CERTIFICATE_EXPIRED": "our certificate has ended for it; renew it: docs/transport.md",
    "CERTIFICATE_REVOKED": "our certificate was revoked; if that was a mistake, ask for a new one: docs/transport.md",
    "UNKNOWN_CA": "it does not know who signed our certificate; have it signed by the broker's own authority",
    "CERTIFICATE_REQUIRED": "it wants to know who we are; give certificate and key: docs/transport.md",
    "BAD_CERTIFICATE": "it cannot use our certificate; have a new one signed: docs/transport.md",
    "PROTOCOL_VERSION": "it speaks no TLS 1.2 or newer; update the broker",
}
"""What the broker says of us (RFC 8446, section 6.2), and what to do."""

_REFUSED: Final = {
    "not authorized": "it does not know this name and password, or its access list does not allow it; who may"
    " read and write what stands in docs/transport.md",
    "bad user name or password": "mend username and password_file, or have the password made anew; docs/transport.md",
    "bad authentication method": "it wants to know us in another way: a certificate, or username and password",
    "client identifier not valid": "it does not take names such as sojourn-STORE-EDGE; change that at the broker",
    "unsupported protocol version": "it speaks no MQTT 5; mosquitto does from 1.6 on",
    "server unavailable": "its log says why; it is tried again",
    "server busy": "it is tried again",
    "banned": "whoever runs the broker has shut us out",
    "quota exceeded": "its bounds are too low; look at max_queued_messages and max_connections there",
    "packet too large": "it takes smaller messages than a batch; raise max_packet_size there",
}

log = structlog.get_logger()


def client_context(broker: Broker, now: datetime) -> ssl.SSLContext:
    """Return the context of a connection; read anew for each one, so that renewed files are taken into use.

    Raises
    ------
    ConfigurationError
        If a file cannot be used, or the key is another certificate's.
    UnavailableError
        If our certificate does not hold now.
    """
    try:
        context = ssl.create_default_context(cafile=broker.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if broker.certificate is not None:
            _check_dates(broker.certificate, now)
            context.load_cert_chain(broker.certificate, broker.key, password="")  # or it would ask on the terminal
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The TLS files cannot be used: {said_of_files(error, broker)}.",
            hint="ca, certificate and key are PEM files; docs/transport.md says how they are made.",
        ) from error
    return context


def use_tls(client: mqtt.Client, broker: Broker) -> ssl.SSLContext | None:
    """Give a client its TLS, if the broker has it; what it was given is for `take_renewed`.

    Raises
    ------
    ConfigurationError, UnavailableError
        As `client_context`.
    """
    if not broker.tls:
        return None
    context = client_context(broker, datetime.now(UTC))
    client.tls_set_context(context)
    return context


def take_renewed(context: ssl.SSLContext | None, broker: Broker) -> None:
    """Let a client that connects again by itself do it with files that were renewed meanwhile, without a restart.

    To be called when its connection has ended. Files that cannot be used are spoken of, and those in use stay.
    """
    if context is None:
        return
    try:
        client_context(broker, datetime.now(UTC))  # as a whole: half of a new pair must not get into the one in use
        if broker.ca is not None:
            context.load_verify_locations(broker.ca)
        if broker.certificate is not None:
            context.load_cert_chain(broker.certificate, broker.key, password="")
    except (SojournError, OSError, ValueError) as error:
        log.warning("renewed TLS files are not taken", reason=str(error))


def ends_at(broker: Broker) -> datetime | None:
    """Return when our own certificate ends, None where there is none that can be read."""
    if broker.certificate is None:
        return None
    try:
        return x509.load_pem_x509_certificate(broker.certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def why_ended(broker: Broker) -> str:
    """Say why a broker ended a connection before it answered, by asking once more; takes two seconds at most.

    In TLS 1.3 the broker looks at our certificate after our own handshake is done, so its refusal comes where MQTT
    already speaks, and a connection that is closed with unread bytes loses it. This one sends nothing and listens.
    """
    if not broker.tls:
        return "it ended the connection without a word; if it wants TLS, write mqtts://"
    try:
        context = client_context(broker, datetime.now(UTC))
        with (
            socket.create_connection((broker.host, broker.port), _ASK_S) as plain,
            context.wrap_socket(plain, server_hostname=broker.host) as asked,
        ):
            asked.recv(1)
    except TimeoutError:  # it waits for us to speak: nothing is wrong with TLS
        return "it ended the connection without a word; its log says why"
    except (OSError, SojournError) as error:
        return why_not(error, broker)
    return "it ended the connection without a word; its log says why"


def refusal_in(said: str) -> str | None:
    """Return what the broker's TLS alert in a text means and what to do, None where there is none."""
    found = _ALERT.search(said)
    if found is None:
        return None
    word = (found[1] if found[1] is not None else found[2].upper().replace(" ", "_")).removeprefix("SSLV3_")
    for alert, meaning in _REFUSALS.items():
        if word.endswith(alert):
            return f"it refuses our certificate: {meaning}"
    return f"it ends TLS: {word.lower().replace('_', ' ')}"


def why_not(error: Exception, broker: Broker) -> str:
    """Say why a connection was not made, and what to do where that can be told."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_broker(error, broker)
    if isinstance(error, SojournError) and error.hint:  # of our own files
        return f"{error.what.rstrip('.')}; {error.hint}"
    said = str(error)
    if any(word in said for word in _NO_TLS) or (broker.tls and isinstance(error, ConnectionResetError)):
        return f"{broker.host}:{broker.port} speaks no TLS, it seems; name its port for TLS, as a rule 8883"
    refusal = refusal_in(said)
    return refusal if refusal is not None else _of_network(error, broker)


def refused_because(reason: ReasonCode) -> str:
    """Say why a broker refuses a connection, a message or a subscription (MQTT 5.0, 2.4), and what to do."""
    word = str(reason).lower()
    return f"{word}; {_REFUSED[word]}" if word in _REFUSED else word


def _of_network(error: Exception, broker: Broker) -> str:
    at = f"{broker.host}:{broker.port}"
    if isinstance(error, socket.gaierror):
        return f"no address is known for {broker.host}; mend its name, or the network of this machine"
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens at {at}; start the broker there, or mend the port (1883, with TLS 8883)"
    if isinstance(error, TimeoutError):
        return f"{at} does not answer; see that the machine is on and no firewall stands between"
    if isinstance(error, OSError) and error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        return f"there is no way to {broker.host}; look at the network of this machine"
    return str(error)


def _of_broker(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "the broker's certificate has ended; renew it there: `sojourn certify broker`"
    if code == _NOT_YET:
        return "the broker's certificate is not valid yet; set the clock of this machine right"
    if code in (_OTHER_HOST, _OTHER_ADDRESS):
        return (
            f"the broker's certificate is not for {broker.host}; use a name that it is for, or make one for this"
            f" name: `sojourn certify broker {broker.host}`"
        )
    if code in _STRANGERS:
        trusted = str(broker.ca) if broker.ca is not None else "this machine's authorities"
        return f"the broker's certificate is from nobody in {trusted}; copy ca.pem of the broker's own authority"
    return f"the broker's certificate cannot be trusted: {error.verify_message}"


def _check_dates(certificate: Path, now: datetime) -> None:
    # both heal by themselves: it is renewed from elsewhere, or a machine without a clock of its own hears the time
    mine = x509.load_pem_x509_certificate(certificate.read_bytes())
    if mine.not_valid_after_utc <= now:
        raise UnavailableError(
            f"The certificate {certificate} ended on {mine.not_valid_after_utc:%Y-%m-%d}.",
            hint="Renew it: `sojourn edge request --renew` for an edge, `sojourn certify service` for a service.",
        )
    if mine.not_valid_before_utc > now:
        raise UnavailableError(
            f"The certificate {certificate} is valid from {mine.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on.",
            hint="Is the clock of this machine right?",
        )
    if mine.not_valid_after_utc - now < RENEW_BEFORE:
        log.warning(
            "the certificate ends soon; renew it",
            certificate=str(certificate),
            ends=f"{mine.not_valid_after_utc:%Y-%m-%d}",
        )


def said_of_files(error: Exception, broker: Broker) -> str:
    """Say what is wrong with the TLS files of a broker."""
    if isinstance(error, ssl.SSLError) and "KEY_VALUES_MISMATCH" in str(error):
        return f"{broker.key} is not the key of {broker.certificate}"
    named = [path for path in (broker.ca, broker.certificate, broker.key) if path is not None]
    if isinstance(error, PermissionError):  # openssl does not say which
        closed = next((path for path in named if not os.access(path, os.R_OK)), "one of them")
        return f"this user may not read {closed}"
    if isinstance(error, FileNotFoundError):
        return f"there is no {next((path for path in named if not path.exists()), 'such file')}"
    if isinstance(error, ssl.SSLError) and "NO_CERTIFICATE_OR_CRL_FOUND" in str(error):
        return f"there is no certificate in {broker.ca}"
    return str(error).rstrip(".")
