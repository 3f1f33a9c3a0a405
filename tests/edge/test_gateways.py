"""Gateways bought elsewhere: each format to the same readings, times, refusals, and whose addresses are whose."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.advertisement import Identities, Rule
from core.errors import ConfigurationError, InputError
from edge.gateways import minew
from edge.gateways.bridge import MOST_AGE_S, Bridge
from edge.gateways.formats import TRANSLATORS
from edge.gateways.heard import MESSAGE_BYTES, looks_random
from edge.gateways.settings import read_settings
from edge.readings import ReadingQueue
from tests.edge.gateway_messages import GATEWAY, IDENTITY, KONTAKT, MESSAGES, NAMESPACE, TAG, Message, minew_frame
from tests.edge.test_hearing import START_NS, Hands

OURS = (Rule(kind="ibeacon", namespace=NAMESPACE), Rule(kind="kontakt"))


class Ends:
    """A bridge between a clock that stands and a queue that is looked into."""

    def __init__(self, *rules: Rule, public: str = "") -> None:
        self.hands, self.queue = Hands(), ReadingQueue()
        gateways = {"omg": "door", "shoes": "door", GATEWAY: "door", "3cRCZ": "door", "001BC50940810000": "door"}
        ouis = frozenset({bytes.fromhex(public)} if public else ())
        self.bridge = Bridge(gateways, Identities(rules or OURS), ouis, self.queue, self.hands.clock())

    def take(self, message: Message, **more: bool) -> None:
        self.bridge.take(message.form, message.topic, message.payload, self.hands.monotonic_s, **more)

    def heard(self) -> list[tuple[bytes, int, float]]:
        """Return identity, level and age (s) of what came through."""
        self.bridge.flush()
        chunk = self.queue.take(0)
        if chunk is None:
            return []
        assert chunk.anchors == ("door",)
        rows = zip(chunk.device.tolist(), chunk.rssi_dbm.tolist(), chunk.ts.tolist(), strict=True)
        return [(chunk.identities[who], level, (START_NS - at) / 1e9) for who, level, at in rows]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.form)
def test_whatever_heard_a_tag_it_is_the_same_device(message: Message) -> None:
    ends = Ends()
    assert [one.gateway for one in TRANSLATORS[message.form](message.topic, message.payload).heard] == [
        message.gateway
    ]
    ends.take(message)
    assert ends.heard() == [(IDENTITY, -63, 0.0)]
    assert ends.bridge.counts == {"messages": 1, "entry": 0}


def test_a_beacon_of_kontakt_has_its_own_id_and_a_strangers_address_is_nobody() -> None:
    ends = Ends()
    ends.take(KONTAKT)
    ends.take(KONTAKT._replace(payload=KONTAKT.payload.replace(b"FJYX", b"5C:31:3E:01:02:03")))
    assert ends.heard() == [(b"kontakt::fjyx", -63, 0.0)]


@pytest.mark.parametrize(
    ("age", "told"), [("0.5", 0.5), (str(MOST_AGE_S), MOST_AGE_S), (str(MOST_AGE_S + 1), 0.0), ("1e300", 0.0)]
)
def test_a_gateways_clock_counts_only_inside_one_message(age: str, told: float) -> None:
    """Years wrong or not: the newest reading is of now, the others are as much older as they say, within bounds."""
    entries = [
        {"sourceId": "3cRCZ", "trackingId": "old", "rssi": -60, "timestamp": 1000.0 - float(age)},
        {"sourceId": "3cRCZ", "trackingId": "new", "rssi": -60, "timestamp": 1000.0},
    ]
    ends = Ends()
    ends.take(Message("kontakt", "", json.dumps(entries).encode(), "3cRCZ"))
    assert [age for _, _, age in ends.heard()] == [pytest.approx(told, abs=1e-5), 0.0]


def test_what_is_refused_is_counted_by_reason_and_spoils_nothing_else() -> None:
    ends, sound = Ends(), MESSAGES[3]
    ends.take(sound._replace(payload=b"{"))
    ends.take(sound._replace(payload=b"\xff\xfe"))
    ends.take(sound._replace(payload=b"[" * MESSAGE_BYTES))
    ends.take(sound._replace(payload=b" " * (MESSAGE_BYTES + 1)))
    ends.take(sound, retained=True)
    entries = json.loads(sound.payload)
    spoilt = [entries[0], {"mac": "nobody"}, entries[1] | {"rawData": "xy"}, entries[1] | {"timestamp": "noon"}, 7]
    ends.take(sound._replace(payload=json.dumps([*spoilt[:-1], entries[1]]).encode()))
    ends.take(KONTAKT._replace(payload=KONTAKT.payload.replace(b"3cRCZ", b"other")))
    ends.take(sound._replace(payload=json.dumps([entries[0], entries[1] | {"rssi": None}]).encode()))
    assert len(ends.heard()) == 1
    assert ends.bridge.counts == {
        "messages": 8, "unreadable": 3, "size": 1, "retained": 1, "entry": 3, "unknown_gateway": 1,
    }  # fmt: skip
    assert ends.bridge.said()["adapters"] == {"door": {"adverts": 2, "signals": 1, "not_ours": 0, "unmeasured": 1}}


def test_a_message_that_comes_twice_counts_twice_dup_or_not() -> None:
    ends = Ends()
    for _ in range(2):
        ends.take(MESSAGES[0])
    assert len(ends.heard()) == 2


def _cut(frame: bytes) -> bytes:
    return frame[:20] + frame[-1:]


def _longer(frame: bytes) -> bytes:
    return frame[:2] + (len(frame) + 1).to_bytes(4) + frame[6:-1] + b"\x00\xdd"


def _countless(frame: bytes) -> bytes:
    return frame[:12] + b"\xff\xff" + frame[14:]


@pytest.mark.parametrize("damage", [_cut, _longer, _countless])
def test_a_damaged_frame_of_minew_is_refused_as_a_whole(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InputError):
        minew.translate("", damage(minew_frame((TAG, [(b"\x02\x01\x06", 0, -50)]))))


@pytest.mark.parametrize(
    ("address", "public", "who"),
    [
        ("AC233F010203", "", b"address:ac233f010203"),  # 10: no random address is so
        ("5C313E010203", "", None),  # 01: may be a stranger's phone, which changes
        ("5C313E010203", "5C313E", b"address:5c313e010203"),  # named by a rule
        ("C034F2AB0001", "", b"address:c034f2ab0001"),  # 11: static
        ("0C34F2AB0001", "", None),  # 00: non-resolvable
    ],
)
def test_an_address_of_untold_kind_is_taken_for_random_unless_it_cannot_be(
    address: str, public: str, who: bytes | None
) -> None:
    rules = [Rule(kind="address", namespace=public)] if public else [Rule(kind="address")]
    ends = Ends(*rules, public=public)
    message = {"id": address, "rssi": -60}
    ends.take(Message("openmqttgateway", "home/omg/BTtoMQTT/x", json.dumps(message).encode(), "omg"))
    assert [identity for identity, _, _ in ends.heard()] == ([] if who is None else [who])
    assert looks_random(bytes.fromhex(address)) == (address[0] != "A")


CONFIGURATION = f'''
store = "s"
edge = "bridge"
[broker]
url = "mqtt://127.0.0.1"
[files]
keys = "keys"
outbox = "outbox.sqlite3"
[gateways]
"{GATEWAY}" = "door"
[[listen]]
format = "minew"
topic = "gw/+/status"
[[hear]]
kind = "ibeacon"
'''


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("minew", "acme", "listen"),
        ("gw/+/status", "gw/x+/status", "no topic of gateways"),
        ("gw/+/status", "sojourn/1/#", "no topic of gateways"),
        ('[[listen]]\nformat = "minew"\ntopic = "gw/+/status"\n', "", "Nothing would be listened to"),
        (
            'mqtt://127.0.0.1"',
            'mqtts://x"\ncertificate = "c"\nkey = "k"',
            "end the connection of the same certificate",
        ),
        (f'"{GATEWAY}" = "door"', f'"{GATEWAY}" = "door"\n"ac:23:3f:c0:2f:87" = "till"', "named twice"),
    ],
)
def test_a_configuration_that_cannot_be_says_what_is_wrong(
    before: str, after: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIGURATION)
    assert read_settings(path).anchors == ("door",)
    path.write_text(CONFIGURATION.replace(before, after))
    with pytest.raises(ConfigurationError, match=sentence):
        read_settings(path)
