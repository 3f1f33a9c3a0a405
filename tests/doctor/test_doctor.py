"""The doctor finds what was broken on purpose, says what to do, and never tells a secret."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

import sojourn
from doctor import clock, machine
from doctor.broker import check_broker
from doctor.certificates import check_ends, check_files
from doctor.database import check_database
from doctor.findings import Finding, State
from doctor.looking import Installation, look
from servers.kernel_cache import seal
from storage.instants import to_ns
from storage.log.signals import save_gaps
from tests.api.seeding import gap_of
from tests.fix_api import SeededStore

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def states(findings: list[Finding]) -> dict[str, State]:
    return {finding.what: finding.state for finding in findings}


@pytest.mark.servers
def test_a_database_from_empty_to_well(empty_database_url: str) -> None:
    found = check_database(empty_database_url)
    assert states(found) == {"database": "ok", "clock of the database": "ok", "edition": "fail"}
    assert "sojourn migrate" in found[-1].do


@pytest.mark.servers
def test_what_comes_in_is_looked_at(store: SeededStore) -> None:
    before = {finding.what: finding for finding in check_database(store.database_url)}
    assert {what: before[what].state for what in before} == {
        "database": "ok", "clock of the database": "ok", "edition": "ok", "migrations": "ok", "ingest": "warn",
        "stores": "ok", "edges": "warn", "dead letters": "ok",
    }  # fmt: skip
    store.connection.execute(
        "insert into ingest_status (started_at, changed_at, broker, queued, parked, batches, signals, repeated,"
        " dead_letters) values (now(), now(), 'connected', 0, 0, 7, 700, 0, 0)"
    )
    store.connection.execute(
        "insert into dead_letter (received_at, store, edge, reason, signals, detail, bytes, sha256, times)"
        " values (now(), 's', 'e', 'rssi', 1, '{}', 1, '\\x00', 3)"
    )
    after = {finding.what: finding for finding in check_database(store.database_url)}
    assert (after["ingest"].state, after["dead letters"].state) == ("ok", "warn")
    assert "3 faults" in after["dead letters"].says
    assert "gaps" not in after
    now_ns = to_ns(store.now)
    save_gaps(store.connection, [gap_of(store.connection, store.store_no, now_ns, now_ns, signals=41_000, last=1)])
    (gaps,) = (finding for finding in check_database(store.database_url) if finding.what == "gaps")
    assert (gaps.state, "41,000 signals" in gaps.says, "marktplatz/north" in gaps.says) == ("warn", True, True)
    store.connection.execute("revoke select on note from sojourn_crm")
    (half,) = (finding for finding in check_database(store.database_url) if finding.what == "migrations")
    assert (half.state, "the role sojourn_crm may not use the table note" in half.says) == ("fail", True)
    store.connection.execute("update ingest_status set changed_at = now() - interval '2 minutes'")
    store.connection.execute("insert into sojourn_migration (name, sha256) values ('9999_newer.sql', '')")
    store.connection.execute("delete from sojourn_migration where name < '0002'")
    (broken,) = (finding for finding in check_database(store.database_url) if finding.state == "fail")
    assert "9999_newer.sql" in broken.says


@pytest.mark.servers
def test_a_server_that_takes_no_writes(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'alter database "{name}" set default_transaction_read_only = on')
    (found,) = (finding for finding in check_database(database_url) if finding.what == "database")
    assert (found.state, "takes no writes" in found.says) == ("fail", True)


@pytest.mark.servers
def test_a_broker_that_is_there_and_one_that_is_not(mqtt_url: str) -> None:
    assert states(check_broker(mqtt_url)) == {"broker": "ok"}
    (away,) = check_broker("mqtt://somebody:verysecret@127.0.0.1:1")
    assert (away.state, away.do) == ("fail", "Is it running, and is SOJOURN_MQTT_URL right?")
    who, at, where = mqtt_url.rpartition("@")
    (refused,) = check_broker(f"{who.rpartition(':')[0]}:wrong{at}{where}")
    assert (refused.state, "name and password" in refused.do) == ("fail", True)
    for unreadable in ("http://127.0.0.1", "mqtts://127.0.0.1:port", "mqtt://"):
        (unread,) = check_broker(unreadable)
        assert (unread.state, "mqtts://host:port" in unread.do) == ("fail", True)


def test_a_certificate_is_looked_at_in_the_handshake(tmp_path: Path) -> None:
    with secure_listener(tmp_path, days=10) as port:
        url = f"mqtts://127.0.0.1:{port}"
        stranger = check_broker(url)
        known = {finding.what: finding for finding in check_broker(url, tmp_path)}
    assert stranger[-1].state == "fail"
    assert "copy ca.pem of the broker's own authority" in stranger[-1].do.lower()
    assert (known["TLS of the broker"].state, known["its certificate"].state) == ("ok", "warn")
    assert "ends in 9 days" in known["its certificate"].says
    assert known["broker"].state == "fail", "it speaks no MQTT"


@pytest.mark.parametrize(("days", "state"), [(-1, "fail"), (29, "warn"), (31, "ok")])
def test_days_left(days: int, state: State) -> None:
    assert check_ends("x", NOW + timedelta(days=days), NOW - timedelta(days=9), NOW).state == state
    assert check_ends("x", NOW + timedelta(days=days), NOW + timedelta(days=1), NOW).state == "fail"


def test_files_that_are_no_certificates(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nonsense")
    assert check_files("x", tmp_path / "x.pem").state == check_files("x", tmp_path / "y.pem").state == "fail"


@pytest.mark.parametrize(("ahead_s", "state"), [(0.01, "ok"), (-5, "warn"), (90, "fail"), (-90, "fail")])
def test_an_offset_is_found_whatever_the_way_takes(ahead_s: float, state: State) -> None:
    ticks = iter(range(0, 10**12, 20_000_000))  # 40 ms there and back

    def now_ns() -> int:
        return next(ticks)

    offset, sure_s = clock.offset_s(lambda: now_ns() + int(ahead_s * 1e9), now_ns)
    assert offset == pytest.approx(ahead_s, abs=0.001)
    assert sure_s == pytest.approx(0.02)
    assert clock.check_offset(offset, sure_s).state == state


def test_ntp() -> None:
    assert [clock.check_ntp(said).state for said in (True, False, None)] == ["ok", "warn", "warn"]
    assert clock.synchronised() in {True, False, None}


def test_keys_that_others_may_read(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    (keys / "day.key").write_bytes(b"k")
    (keys / "day.key").chmod(0o600)
    assert machine.check_private("keys", [keys]).state == "ok"
    (keys / "day.key").chmod(0o640)
    found = machine.check_private("keys", [keys])
    assert (found.state, "chmod -R go-rwx" in found.do) == ("fail", True)
    assert machine.check_private("keys", [tmp_path / "nowhere"]).state == "warn"


def test_a_privacy_folder_that_takes_nothing_is_found_before_the_first_erasure(tmp_path: Path) -> None:
    good = tmp_path / "privacy" / "folder"
    assert looked_at(Installation(privacy=good))["privacy folder"].says.endswith("Nobody is on its list.")
    assert not good.parent.exists()
    good.mkdir(parents=True)
    (good / "suppressed").touch()
    assert looked_at(Installation(privacy=good))["privacy folder"].says == f"{good} can be written."
    assert [one.name for one in good.iterdir()] == ["suppressed"]
    for bad in (Path("/proc/none"), Path("/dev/full/privacy")):
        found = looked_at(Installation(privacy=bad))["privacy folder"]
        assert (found.state, "takes no file" in found.says) == ("fail", True)


def test_disk_versions_and_kernels(tmp_path: Path) -> None:
    assert machine.check_versions().state == "ok"
    assert machine.check_disk("disk", tmp_path / "not" / "yet").what == "disk"
    assert machine.check_kernels({}).state == "warn"
    kernel = tmp_path / "kernels" / "k.nbc"
    kernel.parent.mkdir()
    environment = {"NUMBA_CACHE_DIR": str(kernel.parent)}
    assert machine.check_kernels(environment).state == "warn"
    kernel.write_bytes(b"machine code")
    before = kernel.stat()
    seal(kernel.parent)
    assert machine.check_kernels(environment).state == "ok"
    kernel.write_bytes(b"machine c0de")
    import os  # noqa: PLC0415

    os.utime(kernel, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert machine.check_kernels(environment).state == "fail"


def test_the_command_says_what_to_do_and_no_secret(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o755)
    words = [
        "doctor",
        "--database-url",
        "postgresql://u:verysecret@127.0.0.1:1/x",
        "--keys",
        str(keys),
    ]
    words += ["--mqtt-url", "mqtt://u:verysecret@127.0.0.1:1"]
    shown = CliRunner().invoke(sojourn.app, words)
    assert shown.exit_code == 1
    assert "→ Is it running, and is SOJOURN_MQTT_URL right?" in shown.output
    assert "verysecret" not in shown.output
    told = json.loads(CliRunner().invoke(sojourn.app, [*words, "--json"]).output)
    assert told["state"] == "fail"
    assert {finding["what"] for finding in told["findings"] if finding["state"] == "fail"} == {
        "database", "broker", "keys",
    }  # fmt: skip
    assert "verysecret" not in json.dumps(told)


NOTHING_NAMED = {"SOJOURN_DATABASE_URL": "", "SOJOURN_MQTT_URL": "", "SOJOURN_KAFKA": ""}


def test_what_nobody_named_does_not_read_as_health() -> None:
    shown = CliRunner().invoke(sojourn.app, ["doctor"], env={**NOTHING_NAMED, "COLUMNS": "200"})
    assert shown.exit_code == 1
    assert "Nothing of it was looked at" in shown.output
    assert "→ Set SOJOURN_DATABASE_URL" in shown.output
    assert "It works" not in shown.output
    found = looked_at(Installation(mqtt_url="mqtt://127.0.0.1:1"))
    assert (found["database"].state, "not set" in found["database"].says) == ("warn", True)
    found = looked_at(Installation(database_url="postgresql://127.0.0.1:1/x"))
    assert (found["broker"].state, "not set" in found["broker"].says) == ("warn", True)


def looked_at(installation: Installation) -> dict[str, Finding]:
    return {finding.what: finding for finding in look(installation)}


@pytest.mark.servers
def test_a_database_that_answers_and_refuses_is_told_from_one_that_is_away(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        info = connection.info
        connection.execute("create role locked_out login password 'known'")
        connection.execute(f'revoke connect on database "{info.dbname}" from public')
    told = {}
    for why, changed in (
        ("password", {"password": "verysecret"}),
        ("user", {"user": "nosuchuser", "password": "verysecret"}),
        ("database", {"dbname": "nosuchdatabase"}),
        ("right", {"user": "locked_out", "password": "known"}),
        ("nobody", {"host": "127.0.0.1", "port": "1", "password": "verysecret"}),
        ("host", {"host": "nowhere.invalid", "password": "verysecret"}),
    ):
        (told[why],) = check_database(make_conninfo(database_url, **changed))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop role locked_out")
    assert {finding.state for finding in told.values()} == {"fail"}
    assert told["password"].says == told["user"].says == "It answers, and refuses this user with this password."
    assert "Look at user and password" in told["password"].do
    assert told["database"].says == "It answers, and has no such database."
    assert told["right"].says == "It answers, and this user may not use this database."
    assert told["nobody"].says == "Nobody listens at that host and port."
    assert told["host"].says == "Its host is not known here."
    for finding in told.values():
        assert not re.search("verysecret|nosuch|locked_out|nowhere", finding.says + finding.do)


@pytest.mark.servers
def test_a_broker_that_refuses_says_what_to_do(mqtt_url: str) -> None:
    at = urlsplit(mqtt_url)
    (refused,) = check_broker(f"mqtt://{at.hostname}:{at.port}")
    assert refused.state == "fail"
    assert "It refuses us: not authorized" in refused.says
    assert "name and password" in refused.do


@contextmanager
def secure_listener(folder: Path, *, days: int) -> Iterator[int]:
    """Somebody who speaks TLS and nothing else, with a certificate of its own; `ca.pem` trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                    with line, context.wrap_socket(line, server_side=True):
                        pass
                except ssl.SSLError:
                    continue  # who does not trust us
                except OSError:
                    return  # the block has ended

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
