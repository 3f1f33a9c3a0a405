"""The authority's folder, enrolment without a key leaving, and what is refused."""

import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from typer.testing import CliRunner

import sojourn
from authority.access import Gateway, access_table, check_gateway
from authority.authority import Authority
from authority.house import equip
from core.errors import ConfigurationError, InputError, SojournError, UnavailableError
from edge.broker import Broker
from edge.enrolment import accept, identity_of, request
from edge.tls import client_context, ends_at, take_renewed

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority", NOW)


def name_of(certificate: Path) -> str:
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return found.subject.rfc4514_string()


def test_an_edge_is_enrolled_and_renewed_and_its_key_never_leaves(authority: Authority, tmp_path: Path) -> None:
    own = tmp_path / "own"
    asked = request(own, "shop", "north").read_bytes()
    key = (own / "key.pem").read_bytes()
    signed = authority.sign(asked, "shop", "north", NOW)
    everything = b"".join(path.read_bytes() for path in authority.folder.rglob("*") if path.is_file())
    assert b"PRIVATE" not in asked + signed
    assert key not in everything
    made = accept(own, signed)
    assert name_of(own / "certificate.pem") == "CN=shop/north"
    assert made.not_valid_after_utc - NOW == timedelta(days=397)
    assert (own / "ca.pem").read_bytes() == authority.certificate
    assert not (own / "request.pem").exists()

    with pytest.raises(ConfigurationError, match="--renew"):
        request(own, "shop", "north")
    again = request(own, "shop", "north", renew=True).read_bytes()
    assert (own / "key.pem").read_bytes() == key, "the old pair stays in use until the new certificate is there"
    with pytest.raises(InputError, match="another key"):
        accept(own, authority.sign(request(tmp_path / "other", "shop", "north").read_bytes(), "shop", "north", NOW))
    accept(own, authority.sign(again, "shop", "north", NOW))
    assert (own / "key.pem").read_bytes() != key
    assert {path.name for path in own.iterdir()} == {"ca.pem", "certificate.pem", "key.pem"}

    other = Authority.create(tmp_path / "second", NOW)
    foreign = other.sign(request(own, "shop", "north", renew=True).read_bytes(), "shop", "north", NOW)
    with pytest.raises(ConfigurationError, match="--new-authority"):
        accept(own, foreign)
    accept(own, foreign, new_authority=True)
    assert (own / "ca.pem").read_bytes() == other.certificate


def test_a_client_that_stays_shows_a_renewed_certificate_at_its_next_connection(
    authority: Authority, tmp_path: Path
) -> None:
    """As `sojourn gateway` and `sojourn app-presence`, whose clients connect again by themselves."""
    now = datetime.now(UTC)
    own = tmp_path / "own"
    authority.certify_service("app-presence", own, now)
    authority.certify_server(["127.0.0.1"], tmp_path / "server", now)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=own / "ca.pem")
    serving.load_cert_chain(tmp_path / "server" / "certificate.pem", tmp_path / "server" / "key.pem")
    serving.verify_mode = ssl.CERT_REQUIRED

    def shown(context: ssl.SSLContext) -> bytes | None:
        """Shake hands and return the certificate of the client."""
        here, there = socket.socketpair()
        with here, there, ThreadPoolExecutor(1) as other:
            asked = other.submit(context.wrap_socket, here, server_hostname="127.0.0.1")
            with serving.wrap_socket(there, server_side=True) as server:
                asked.result(10).close()
                return server.getpeercert(binary_form=True)

    broker = Broker.from_url("mqtts://127.0.0.1:8883", own)
    context = client_context(broker, now)
    before = shown(context)
    take_renewed(context, broker)
    assert shown(context) == before
    authority.certify_service("app-presence", own, now)
    ends = ends_at(broker)
    assert ends is not None
    assert ends > now
    take_renewed(context, broker)
    after = shown(context)
    assert after not in {before, None}
    (own / "key.pem").write_bytes((tmp_path / "server" / "key.pem").read_bytes())
    take_renewed(context, broker)
    assert shown(context) == after, "files that do not fit are not taken"


def test_only_what_is_expected_is_signed(authority: Authority, tmp_path: Path) -> None:
    asked = request(tmp_path / "own", "shop", "north").read_bytes()
    with pytest.raises(InputError, match="is for shop/north, not for shop/south"):
        authority.sign(asked, "shop", "south", NOW)
    with pytest.raises(InputError, match="no request"):
        authority.sign(b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n", "shop", "north", NOW)
    for store, edge in (
        ("shop", "app"),
        ("shop", "replay"),
        ("s" * 60, "north"),
        ("+", "north"),
        ("shop", "a/b"),
        ("shop", "#"),
    ):
        with pytest.raises(ConfigurationError):
            identity_of(store, edge)
    with pytest.raises(ConfigurationError, match="no service"):
        authority.certify_service("shop/north", tmp_path / "x", NOW)
    with pytest.raises(ConfigurationError, match="neither a host name nor an address"):
        authority.equip_broker(["*.example"], NOW)
    assert authority.issued() == []


def test_everything_of_an_authority_is_private(authority: Authority) -> None:
    authority.equip_broker(["broker.example", "192.0.2.7"], NOW)
    for path in (authority.folder, *authority.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    key = authority.folder / "ca.key.pem"
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        Authority(authority.folder)


def test_what_ends_soon_is_renewed_and_the_list_of_revoked_lasts(authority: Authority, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert equip(authority, ["broker"], out, NOW) == ["broker", "ingest", "kafka-bridge", "app-presence", "watch"]
    assert equip(authority, ["broker"], out, NOW + timedelta(days=300)) == []
    assert equip(authority, ["broker", "10.0.0.1"], out, NOW + timedelta(days=300)) == ["broker"]
    late = NOW + timedelta(days=380)
    assert equip(authority, ["broker"], out, late) == ["ingest", "kafka-bridge", "app-presence", "watch"]
    assert authority.revoke("ingest", late) == 2
    listed = x509.load_pem_x509_crl((authority.broker_folder / "revoked.pem").read_bytes())
    assert len(list(listed)) == 2
    ends = x509.load_pem_x509_certificate(authority.certificate).not_valid_after_utc
    assert listed.next_update_utc == ends, "a list that runs out would keep everybody out"
    with pytest.raises(InputError, match="no certificate that holds"):
        authority.revoke("ingest", late)


def test_a_certificate_is_spoken_of_a_month_before_its_end(authority: Authority, tmp_path: Path) -> None:
    authority.equip_broker(["broker"], NOW)
    authority.enrol("shop", "north", tmp_path / "own", NOW)
    broker = Broker.from_url("mqtts://broker", tmp_path / "own")
    for days, said in ((366, []), (368, ["the certificate ends soon; renew it"])):
        with structlog.testing.capture_logs() as logs:
            client_context(broker, NOW + timedelta(days=days))
        assert [entry["event"] for entry in logs] == said
    with pytest.raises(UnavailableError, match="ended on 2027-12-30"):
        client_context(broker, NOW + timedelta(days=397))
    with pytest.raises(UnavailableError, match="clock of this machine"):
        client_context(broker, NOW - timedelta(days=1))
    with pytest.raises(ConfigurationError, match="without TLS"):
        Broker.from_url("mqtt://broker", tmp_path / "own")
    with pytest.raises(ConfigurationError, match=r"has no ca\.pem"):
        Broker.from_url("mqtts://broker", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "writes", "reads"),
    [
        ("shop/north", ["gw/a"], []),
        ("ingest", ["gw/a"], []),
        ("door", [], []),
        ("door", ["#"], []),
        ("door", ["+/a"], []),
        ("door", ["gw/a#"], []),
        ("door", ["sojourn/1/shop/north/signals"], []),
        ("door", ["sojourn/1/+/app/presence"], []),
        ("door", ["sojourn/#"], []),
        ("door", ["gw/a\nuser ingest"], []),
        ("door", ["gw/%u"], []),
        ("door", [], ["sojourn/1/shop/app/presence"]),
        ("door", [], ["$SYS/#"]),
    ],
)
def test_a_gateway_cannot_take_anybodys_place(name: str, writes: list[str], reads: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        check_gateway(name, Gateway(password="x", writes=tuple(writes), reads=tuple(reads)))


def test_the_table_in_the_docs_is_the_brokers() -> None:
    assert access_table() in (DOCS / "transport.md").read_text()


def test_the_words_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_AUTHORITY", str(tmp_path / "authority"))
    monkeypatch.chdir(tmp_path)

    def say(*words: str) -> str:
        result = CliRunner().invoke(sojourn.app, words)
        if isinstance(result.exception, SojournError):
            return str(result.exception)
        assert result.exit_code == 0, (words, result.output)
        return result.output

    assert "There is no authority" in say("certify", "service", "ingest", "--out", "ingest")
    assert "deploy/mosquitto.conf" in say("certify", "broker", "broker.example")
    assert "request.pem" in say("edge", "request", "shop", "north", "--folder", "own")
    assert "Carry signed.pem" in say("edge", "sign", "shop", "north", "own/request.pem")
    assert "In place until" in say("edge", "accept", "signed.pem", "--folder", "own")
    assert "may speak" in say("edge", "enrol", "shop", "south", "--out", "south")
    shown = say("certify", "gateway", "door", "--writes", "gw/door/#")
    password = shown.split("password")[1].split()[0]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "authority").rglob("*") if path.is_file())
    assert len(password) == 32
    assert password.encode() not in kept
    assert "1 revoked" in say("certify", "revoke", "shop/south")
    listed = say("certify", "list")
    assert [line.split()[-2] for line in listed.splitlines() if "days left" in line] == [
        "broker.example",
        "shop/north",
    ]
    assert "revoked" in listed
    assert "writes gw/door/#" in listed
    assert "removed" in say("certify", "gateway", "door", "--remove")
    assert say("certify", "list", "--ending", "30") == ""
    assert "docs/edge.md" in say("edge", "nowhere.toml", "--check"), "`sojourn edge CONFIG` runs an edge"


def test_a_request_is_signed_through_a_pipe(tmp_path: Path) -> None:
    """An authority in a container neither reads the files of whoever asks nor may write beside them."""
    authority = Authority.create(tmp_path / "authority", datetime.now(UTC))
    asked = request(tmp_path / "own", "shop", "north").read_bytes()
    words = ["edge", "sign", "shop", "north", "-", "--out", "-", "--authority", str(authority.folder)]
    signed = CliRunner().invoke(sojourn.app, words, input=asked)
    assert signed.exit_code == 0, signed.output
    accept(tmp_path / "own", signed.stdout_bytes)
    assert name_of(tmp_path / "own/certificate.pem") == "CN=shop/north"
    assert not Path("-").exists()
