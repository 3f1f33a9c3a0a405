"""Identity rules, by hand and by properties. The recorded vectors stand in tests/recordings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.addresses import AddressKind, Resolver, address_kind, read_address
from core.advertisement import (
    MOST_PAYLOAD_BYTES,
    TILT,
    Advertisement,
    Identities,
    Rule,
    read_payload,
    read_pdu,
)
from core.beacon_frames import read_telemetry
from core.bthome import read_bthome
from core.errors import ConfigurationError, InputError

UUID = "426c7565-4368-6172-6d42-6561636f6e73"
FLAT = UUID.replace("-", "")
IBEACON = bytes.fromhex("0215" + FLAT + "0efe1355c5")
SENDER = bytes.fromhex("c03412ab00ff")  # two highest bits set: static, where it is random
FEAA = "0000feaa-0000-1000-8000-00805f9b34fb"
# Bluetooth Core 5.4, Vol 3 Part H, appendix D.7: a key and an address that it made
IRK = bytes.fromhex("ec0234a357c8ad05341010a60a397d9b")
PRIVATE = bytes.fromhex("7081940dfbaa")


def beacon(data: bytes = IBEACON, address: bytes | None = SENDER, *, random: bool = True) -> Advertisement:
    return Advertisement(address, random, {0x004C: data}, {})


def test_an_advertisement_that_no_rule_takes_is_nobody() -> None:
    assert Identities(()).of(beacon()) is None
    assert Identities((Rule(kind="ibeacon", namespace="0" * 32),)).of(beacon()) is None
    assert Identities((Rule(kind="altbeacon"),)).of(beacon()) is None


@pytest.mark.parametrize("namespace", ["", UUID, UUID.upper(), FLAT])
def test_a_namespace_is_taken_however_it_is_spelled(namespace: str) -> None:
    assert (
        Identities((Rule(kind="ibeacon", namespace=namespace),)).of(beacon()) == f"ibeacon:{FLAT}:0efe1355".encode()
    )


def test_tags_that_share_an_id_are_told_apart_by_who_sends() -> None:
    one, other = beacon(), beacon(address=bytes.fromhex("c03412ab0100"))
    shared = Identities((Rule(kind="ibeacon", device="instance"),))
    apart = Identities((Rule(kind="ibeacon", device="instance_and_address"),))
    assert shared.of(one) == shared.of(other)
    assert apart.of(one) == f"ibeacon:{FLAT}:0efe1355@address:c03412ab00ff".encode()
    assert apart.of(one) != apart.of(other)
    assert apart.of(beacon(address=None)) is None


def test_a_rule_may_go_by_the_sender_alone() -> None:
    assert Identities((Rule(kind="ibeacon", device="address"),)).of(beacon()) == b"address:c03412ab00ff"


def test_the_first_rule_that_takes_it_decides() -> None:
    refused = Rule(kind="ibeacon", namespace=UUID, device="none")
    every = Rule(kind="ibeacon")
    assert Identities((refused, every)).of(beacon()) is None
    assert Identities((every, refused)).of(beacon()) is not None
    both = Advertisement(SENDER, True, {0x004C: IBEACON}, {FEAA: bytes.fromhex("00fc" + "11" * 10 + "22" * 6)})
    uid = Rule(kind="eddystone_uid")
    assert Identities((uid, every)).of(both) == b"eddystone_uid:" + b"11" * 10 + b":" + b"22" * 6
    assert Identities((every, uid)).of(both) == f"ibeacon:{FLAT}:0efe1355".encode()


def test_a_hydrometers_reading_is_no_device() -> None:
    tilt = beacon(bytes.fromhex("0215a495bb70c5b14b44b5121370f02d74de005806c8c5"))
    assert Identities((*TILT, Rule(kind="ibeacon"))).of(tilt) is None
    assert Identities((Rule(kind="ibeacon"),)).of(tilt) is not None


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Rule(kind="ibeacon", namespace="12"), "32 hexadecimal digits"),
        (Rule(kind="ibeacon", namespace="g" * 32), "32 hexadecimal digits"),
        (Rule(kind="eddystone_uid", namespace=UUID), "20 hexadecimal digits"),
        (Rule(kind="eddystone_url", namespace="ftp://x"), "https://example.org"),
        (Rule(kind="estimote", namespace="11"), "leave it out"),
        (Rule(kind="address", namespace="ac233f000001"), "6 hexadecimal digits"),
        (Rule(kind="private_address", namespace="ac233f"), "leave it out"),
    ],
)
def test_a_namespace_that_cannot_be_is_refused(rule: Rule, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Identities((rule,))


def test_two_rules_for_the_same_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Keep one"):
        Identities((Rule(kind="ibeacon", namespace=UUID), Rule(kind="ibeacon", namespace=FLAT)))
    with pytest.raises(ConfigurationError, match="257 rules"):
        Identities(Rule(kind="ibeacon", namespace=f"{number:032x}") for number in range(257))


def test_addresses_count_if_they_last_or_their_key_is_known() -> None:
    rules = (Rule(kind="address"), Rule(kind="private_address"))
    known = Identities(rules, Resolver([IRK]))

    def of(address: bytes, *, random: bool) -> bytes | None:
        return known.of(Advertisement(address, random, {}, {}))

    assert of(SENDER, random=True) == b"address:c03412ab00ff"
    assert of(bytes.fromhex("3f3412ab00ff"), random=False) == b"address:3f3412ab00ff"
    assert of(bytes.fromhex("3f3412ab00ff"), random=True) is None  # non-resolvable: another one tomorrow
    assert of(PRIVATE, random=True) == b"irk:" + IRK.hex().encode()
    assert of(bytes.fromhex("7081940dfbab"), random=True) is None
    assert of(PRIVATE, random=False) == b"address:7081940dfbaa"
    assert Identities(rules).of(Advertisement(PRIVATE, True, {}, {})) is None
    apart = Identities((Rule(kind="ibeacon", device="instance_and_address"),), Resolver([IRK]))
    who = apart.of(beacon(address=PRIVATE))
    assert who is not None
    assert who.endswith(b"@irk:" + IRK.hex().encode())


def test_a_maker_of_addresses_is_a_namespace() -> None:
    mine = Identities((Rule(kind="address", namespace="AC:23:3F"),))
    assert mine.of(Advertisement(bytes.fromhex("ac233f000001"), False, {}, {})) == b"address:ac233f000001"
    assert mine.of(Advertisement(bytes.fromhex("ac233e000001"), False, {}, {})) is None


def test_every_address_of_a_key_is_recognised_and_keys_are_checked() -> None:
    resolver = Resolver([bytes(16), IRK])
    assert resolver.irk_of(PRIVATE) == IRK
    assert resolver.irk_of(PRIVATE) == IRK  # and so is a remembered one
    assert Resolver([bytes(16)]).irk_of(PRIVATE) is None
    with pytest.raises(ConfigurationError, match="16 bytes"):
        Resolver([b"short"])
    with pytest.raises(ConfigurationError, match="4097"):
        Resolver(number.to_bytes(16, "big") for number in range(4097))


def test_kinds_of_addresses() -> None:
    kinds = {0x00: AddressKind.NON_RESOLVABLE, 0x40: AddressKind.RESOLVABLE, 0x80: None, 0xC0: AddressKind.STATIC}
    for first, kind in kinds.items():
        address = bytes([first | 0x3F]) + bytes(5)
        assert address_kind(address, random=True) == kind
        assert address_kind(address, random=False) is AddressKind.PUBLIC
    assert read_address("C0:34:12:ab:00:FF") == read_address("c03412ab00ff") == SENDER
    for wrong in ("", "c03412ab00", "c0:34:12:ab:00", "c0-34-12-ab-00-ff", "g03412ab00ff", "c03412ab00ff\n"):
        with pytest.raises(InputError, match="AA:BB:CC"):
            read_address(wrong)


def test_a_pdu_gives_its_sender_and_its_data() -> None:
    payload = bytes.fromhex("0201061aff4c00") + IBEACON
    pdu = bytes([0x42, 6 + len(payload)]) + SENDER[::-1] + payload
    found = read_pdu(pdu)
    assert found == Advertisement(SENDER, True, {0x004C: IBEACON}, {}, None, (), None)
    assert read_pdu(bytes([0x03, 12]) + bytes(12)) is None  # a scan request
    directed = read_pdu(bytes([0x01, 12]) + SENDER[::-1] + bytes(6))
    assert directed is not None
    assert directed.manufacturer_data == {}
    with pytest.raises(InputError, match="cut short"):
        read_pdu(pdu[:-1])


def test_a_payload_longer_than_any_is_refused() -> None:
    read_payload(bytes(MOST_PAYLOAD_BYTES))
    with pytest.raises(InputError, match="1650"):
        read_payload(bytes(MOST_PAYLOAD_BYTES + 1))


def test_a_frame_that_breaks_its_format_names_nobody() -> None:
    identities = Identities([Rule(kind=kind) for kind in ("ibeacon", "altbeacon", "eddystone_url", "eddystone_eid")])

    def eddystone(hexadecimal: str) -> bytes | None:
        return identities.of(Advertisement(None, False, {}, {FEAA: bytes.fromhex(hexadecimal)}))

    assert identities.of(beacon(IBEACON[:-1])) is None
    altbeacon = bytes.fromhex("beac" + "11" * 16 + "22" * 4 + "c500")
    assert identities.of(Advertisement(None, False, {0x0118: altbeacon}, {})) == b"altbeacon:%s:22222222" % (
        b"11" * 16
    )
    assert identities.of(Advertisement(None, False, {0x0118: altbeacon[:-1]}, {})) is None
    assert eddystone("10f80367697468756200636974") == b"eddystone_url:https://github.com:/cit"
    for damaged in ("10f80467", "10f80320", "10f8037f", "10f803", "1000", "30fc00112233445566", ""):
        assert eddystone(damaged) is None


def test_telemetry_that_a_sender_does_not_measure_is_none() -> None:
    said = read_telemetry({FEAA: bytes.fromhex("200000008000" + "00000001" + "0000000a")})
    assert said == (None, None, 1, 1.0)
    assert read_telemetry({FEAA: bytes.fromhex("2001" + "00" * 16)}) is None
    assert read_telemetry({}) is None


def test_bthome_ends_where_it_cannot_go_on() -> None:
    assert read_bthome(b"") is None
    assert read_bthome(bytes.fromhex("200161")) is None  # version 1
    encrypted = read_bthome(bytes.fromhex("41a47266c95f730011223378237214"))
    assert encrypted == (True, ())
    for rest in ("", "02", "02ca", "ee0102", "53", "530548"):  # nothing, cut short, unknown
        said = read_bthome(bytes.fromhex("400161" + rest))
        assert said is not None
        assert said.readings == (("battery_percent", 97),)


@given(
    name=st.sampled_from(["ibeacon", "altbeacon"]),
    namespace=st.binary(min_size=16, max_size=16),
    instance=st.binary(min_size=4, max_size=4),
    other=st.binary(min_size=4, max_size=4),
    after=st.lists(
        st.tuples(st.integers(2, 255).filter(lambda kind: kind not in {0x09, 0xFF}), st.binary(max_size=8))
    ),
)
def test_who_is_named_does_not_depend_on_what_stands_around(
    name: str,
    namespace: bytes,
    instance: bytes,
    other: bytes,
    after: list[tuple[int, bytes]],
) -> None:
    def payload(which: bytes) -> bytes:
        head = b"\xff\x4c\x00\x02\x15" if name == "ibeacon" else b"\xff\x18\x01\xbe\xac"
        frame = head + namespace + which + (b"\xc5" if name == "ibeacon" else b"\xc5\x00")
        around = b"".join(bytes([len(data) + 1, kind]) + data for kind, data in after)
        return around + bytes([len(frame)]) + frame + around

    identities = Identities((Rule(kind="ibeacon"), Rule(kind="altbeacon")))
    who = identities.of(read_payload(payload(instance)))
    assert who == f"{name}:{namespace.hex()}:{instance.hex()}".encode()
    assert (identities.of(read_payload(payload(other))) == who) == (other == instance)


@given(prand=st.binary(min_size=3, max_size=3), irks=st.lists(st.binary(min_size=16, max_size=16), max_size=4))
def test_an_address_made_by_a_key_is_recognised_whenever_it_was_made(prand: bytes, irks: list[bytes]) -> None:
    made = made_by(IRK, prand)
    assert Resolver([*irks, IRK]).irk_of(made) is not None
    assert Resolver([IRK]).irk_of(made) == IRK
    assert Resolver([IRK]).irk_of(made[:-1] + bytes([made[-1] ^ 1])) is None


def made_by(irk: bytes, prand: bytes) -> bytes:
    """Make an address as a phone does: `ah` of Vol 3 Part H 2.2.2, from AES alone."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415

    random = bytes([prand[0] & 0x3F | 0x40]) + prand[1:]
    cipher = Cipher(algorithms.AES(irk), modes.ECB()).encryptor()
    return random + (cipher.update(bytes(13) + random) + cipher.finalize())[-3:]
