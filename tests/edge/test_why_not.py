"""Why a broker cannot be reached, or refuses: one sentence that says what to do."""

import errno
import socket

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import UnavailableError
from edge.broker import Broker
from edge.tls import refused_because, why_not


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nobody listens at broker.example:1883; start the"),
        (socket.gaierror(-2, "Name or service not known"), "no address is known for broker.example; mend its name"),
        (TimeoutError("timed out"), "broker.example:1883 does not answer; see that the machine is on"),
        (OSError(errno.ENETUNREACH, "unreachable"), "there is no way to broker.example; look at the network"),
        (OSError(errno.EHOSTUNREACH, "no route"), "there is no way to broker.example; look at the network"),
    ],
)
def test_what_the_network_says_comes_with_what_to_do(error: OSError, sentence: str) -> None:
    assert why_not(error, Broker("broker.example", 1883)).startswith(sentence)


@pytest.mark.parametrize(
    ("packet", "word", "sentence"),
    [
        (
            PacketTypes.CONNACK,
            "Not authorized",
            "not authorized; it does not know this name and password, or its access list",
        ),
        (PacketTypes.CONNACK, "Bad user name or password", "bad user name or password; mend username"),
        (PacketTypes.CONNACK, "Unsupported protocol version", "unsupported protocol version; it speaks no MQTT 5"),
        (PacketTypes.CONNACK, "Packet too large", "packet too large; it takes smaller messages"),
        (PacketTypes.PUBACK, "Quota exceeded", "quota exceeded; its bounds are too low"),
        (PacketTypes.PUBACK, "Unspecified error", "unspecified error"),
    ],
)
def test_what_the_broker_says_comes_with_what_to_do(packet: int, word: str, sentence: str) -> None:
    assert refused_because(ReasonCode(packet, word)).startswith(sentence)


def test_what_is_wrong_with_our_own_files_comes_with_what_to_do() -> None:
    ended = UnavailableError("The certificate c.pem ended on 2026-01-02.", hint="Renew it: `sojourn edge request`.")
    said = why_not(ended, Broker("broker.example", 8883, tls=True))
    assert said == "The certificate c.pem ended on 2026-01-02; Renew it: `sojourn edge request`."
