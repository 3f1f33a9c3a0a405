"""An identity is one connection at the broker: ingests of a group draw one each, and a doctor only looks."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import structlog
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from authority.access import MEMBERS
from authority.authority import Authority
from authority.house import GROUP, equip
from doctor.broker import check_broker
from edge.broker import CA, CERTIFICATE, KEY, identities
from ingest.kafka.teller import Teller
from ingest.settings import Settings
from ingest.subscriber import Subscriber
from servers.mosquitto import Mosquitto
from servers.provide import Installed

pytestmark = pytest.mark.servers
WAIT_S = 30.0
INGESTS = 4


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the container `certificates` writes."""
    folder = tmp_path_factory.mktemp("house")
    authority = Authority.create(folder / "authority", datetime.now(UTC))
    made = equip(authority, ["127.0.0.1"], folder / "credentials", datetime.now(UTC), members=INGESTS)
    assert set(MEMBERS[:INGESTS]) <= set(made)
    assert equip(authority, ["127.0.0.1"], folder / "credentials", datetime.now(UTC), members=INGESTS) == []
    return folder / "credentials"


@pytest.fixture(scope="module")
def url(installed: Installed, credentials: Path) -> Iterator[str]:
    secure = credentials.parent / "authority/broker"
    with Mosquitto(installed, credentials.parent / "broker", secure=secure) as broker:
        yield broker.url


def await_that(there: Callable[[], bool]) -> bool:
    pause, until_s = threading.Event(), time.monotonic() + WAIT_S
    while not there() and time.monotonic() < until_s:
        pause.wait(0.05)
    return there()


@contextmanager
def tellers(url: str, folder: Path, count: int) -> Iterator[list[Teller]]:
    with ExitStack() as ends:
        made = [Teller(url, Settings(), folder) for _ in range(count)]
        for teller in made:
            ends.callback(teller.stop)
        yield made


def test_ingests_that_share_a_folder_draw_an_identity_each(url: str, credentials: Path) -> None:
    with structlog.testing.capture_logs() as logs, tellers(url, credentials / GROUP, INGESTS) as group:
        # as many as there are identities, so that the last one has to find the only one that is left
        wanted = set(identities(credentials / GROUP))
        assert await_that(lambda: {one.identity for one in group if one.connected} == wanted)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == []


def test_too_few_identities_are_told_once_with_what_to_do(url: str, credentials: Path) -> None:
    (one, *_) = identities(credentials / GROUP)
    assert identities(one) == (one,)
    with structlog.testing.capture_logs() as logs, tellers(url, one, 2):
        assert await_that(lambda: any(entry["log_level"] == "error" for entry in logs))
    (told, *_) = [entry for entry in logs if entry["log_level"] == "error"]
    assert "other ingests use this one's certificate" in told["event"]
    assert "sojourn certify service" in told["hint"]


def test_a_doctor_with_the_certificate_of_ingest_leaves_its_session_as_it_is(url: str, credentials: Path) -> None:
    """What the broker keeps for ingest is still there after somebody has looked with its certificate."""
    settings = Settings()
    ingest = Subscriber(url, "sojourn-ingest", settings, credentials / "ingest")
    ingest.connect()
    ingest.drop()  # away: the broker keeps for it what comes
    app, where = credentials / "app-presence", urlsplit(url)
    publish.single(
        "sojourn/1/shop/app/signals",
        b"kept for ingest",
        qos=1,
        hostname=str(where.hostname),
        port=int(where.port or 0),
        protocol=MQTTProtocolVersion.MQTTv5,
        tls={"ca_certs": str(app / CA), "certfile": str(app / CERTIFICATE), "keyfile": str(app / KEY)},
    )
    assert {finding.state for finding in check_broker(url, credentials / "ingest")} == {"ok"}
    ingest.connect()
    try:
        (message,) = ingest.take(wait_s=WAIT_S, gather_s=0.2)
    finally:
        ingest.drop()
    assert message.payload == b"kept for ingest"


def test_a_doctor_looks_at_every_identity_of_a_group(url: str, credentials: Path) -> None:
    found = check_broker(url, credentials / GROUP)
    assert {finding.state for finding in found} == {"ok"}
    assert sum(finding.what.startswith("our certificate ingest-") for finding in found) == INGESTS


def test_a_folder_without_certificates_is_itself(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()  # as Kubernetes keeps the files of a secret
    (tmp_path / "..2026/certificate.pem").touch()
    assert identities(tmp_path) == (tmp_path,)
    assert identities(tmp_path / "nowhere") == (tmp_path / "nowhere",)


@pytest.mark.parametrize(
    "told",
    [
        ("ended", r"It ended \d+ days ago", "Renew it"),
        ("of a stranger", "It refuses our certificate", "broker's own authority|docs/transport.md|log of the broker"),
        ("of another broker", "from nobody in", "copy ca.pem of the broker's own authority"),
        ("another's key", "is not the key of", "docs/transport.md"),
        ("nowhere", "has no ca.pem", "sojourn certify service"),
        ("a plain address", "address is without TLS", "mqtts://host:port"),
    ],
    ids=lambda told: told[0],
)
def test_a_doctor_says_what_is_wrong_at_the_broker_and_what_to_do(
    url: str, credentials: Path, tmp_path: Path, told: tuple[str, str, str]
) -> None:
    what, says, do = told
    own = tmp_path / "own"
    shutil.copytree(credentials / "ingest", own)
    other = Authority.create(tmp_path / "other", datetime.now(UTC))
    if what == "ended":
        authority = Authority(credentials.parent / "authority")
        authority.certify_service("ingest", own, datetime.now(UTC) - timedelta(days=400))
    elif what == "of a stranger":
        other.certify_service("ingest", own, datetime.now(UTC))
        shutil.copy(credentials / "ingest" / CA, own / CA)
    elif what == "of another broker":
        shutil.copy(tmp_path / "other" / CA, own / CA)
    elif what == "another's key":
        shutil.copy(credentials / "kafka-bridge" / KEY, own / KEY)
    elif what == "nowhere":
        own = tmp_path / "nowhere"
    found = check_broker(url.replace("mqtts://", "mqtt://") if what == "a plain address" else url, own)
    wrong = [finding for finding in found if finding.state == "fail"]
    assert wrong, found
    assert all(finding.do for finding in wrong)
    assert any(re.search(says, one.says) and re.search(do, one.do, re.IGNORECASE) for one in wrong), wrong
