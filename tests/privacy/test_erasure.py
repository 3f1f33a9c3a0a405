"""Erasure reaches every place, goes on after kill -9, leaves a receipt, and nobody comes back."""

import io
import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import httpx
import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from api.app import create_app
from api.cues.arriving import Arrivals
from api.settings import Settings
from core.errors import ConfigurationError, UnavailableError
from core.identity import are_nobody
from core.privacy.suppression import Suppressed
from core.resolution import Identifier
from core.wire import Batch, decode
from doctor.database import check_database
from servers.postgres import Postgres
from sojourn import app
from storage.access.keys import add_key
from storage.access.secrets import digest
from storage.connect import Connection, connect, in_transaction
from storage.identity.consents import ConsentWord
from storage.identity.links import GivenProfile, identify
from storage.live import listen
from storage.log.snapshots import good_snapshots
from storage.privacy import batches, erasing, restored
from storage.privacy.keys import KEY, LIST, PrivacyFolder
from storage.privacy.places import IMPERSONAL, PLACES
from storage.privacy.receipts import find_receipt
from storage.privacy.restoring import is_behind, reapply
from storage.privacy.suppression import Guard, load_suppressed
from storage.profiles.profiles import PURPOSE
from tests.api.inputting import customer, send
from tests.api.seeding import PLAN, SMALL_PLAN, add_stores, writer
from tests.api.serving import ROOT, answering, wait_for
from tests.fix_api import SeededStore
from tests.fix_database import _fresh
from tests.privacy.searching import found_in_database, found_in_statistics, needles
from tests.privacy.somebody import EMAIL, HERS, NAME, OTHER, TAG, Somebody, everywhere

pytestmark = pytest.mark.servers


@pytest.fixture
def folder(tmp_path: Path) -> PrivacyFolder:
    return PrivacyFolder(tmp_path / "privacy")


@pytest.fixture
def her(store: SeededStore) -> Somebody:
    return everywhere(store.connection, store.plan, store.store_no, store.now)


def now() -> datetime:
    return datetime.now(UTC)


def erase(connection: Connection, folder: PrivacyFolder, profile: UUID) -> UUID:
    erasure = in_transaction(connection, lambda lent: erasing.ask(lent, profile, asked_by="Ada"))
    assert erasure is not None
    assert erasing.work_all(connection, folder, now, stopped=lambda: False) == "idle"
    return erasure


def test_every_table_is_in_the_registry(store: SeededStore) -> None:
    rows = store.connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    ).fetchall()
    named = {place.table for place in PLACES}
    assert {row[0] for row in rows} == named | IMPERSONAL.keys()
    assert not named & IMPERSONAL.keys()


def test_nothing_is_left_of_her_anywhere_and_all_of_others(
    store: SeededStore, her: Somebody, folder: PrivacyFolder
) -> None:
    wanted = needles(her.secrets)
    before = found_in_database(store.connection, wanted)
    held = {place.table for place in PLACES if place.how != "freeze"} - {
        "alert_look",
        "blocked_device",
        "profile_read",
        "profile_shown",
    }
    assert held - before.keys() == {"webhook_delivery"}, "somebody is not in every place: the test shows nothing"

    store.connection.execute("analyze")  # as the server does by itself
    assert "profile" in found_in_statistics(store.connection, wanted)

    erasure = erase(store.connection, folder, her.profile)

    assert found_in_database(store.connection, wanted) == {}
    assert found_in_statistics(store.connection, wanted) == {}
    receipt = find_receipt(store.connection, erasure)
    assert receipt is not None
    assert receipt.state == "done"
    assert [one.place for one in receipt.places] == [place.table for place in PLACES]
    assert all(one.verified and one.finished_at for one in receipt.places)
    counts = {one.place: one.rows for one in receipt.places}
    assert counts["signal_log"] == 30
    assert counts["store_visit"] == counts["zone_visit"] == 3
    assert not {name for name, rows in counts.items() if not rows} - {
        "engine_snapshot", "presence", "blocked_device", "rollup_change", "profile_read", "profile_shown",
    }  # fmt: skip
    log = store.connection.execute(
        "select sequence, signals, redacted, batch from signal_log order by sequence"
    ).fetchall()
    assert [(sequence, signals, gone) for sequence, signals, gone, _ in log] == [
        (1, 10, 10), (2, 10, 10), (3, 0, 10), (4, 10, 0),
    ]  # fmt: skip
    assert {row.tobytes() for *_, payload in log if payload for row in decode(bytes(payload)).devices} == {OTHER}
    waiting = store.connection.execute("select payload from app_outbox order by sequence").fetchall()
    assert [(len(one), one.gap is not None) for one in (decode(bytes(row[0])) for row in waiting)] == [
        (10, False), (0, True)
    ]  # fmt: skip
    (snapshot,) = good_snapshots(store.connection, store.store_no)
    assert OTHER in snapshot.state
    others = store.connection.execute("select count(*) from store_visit").fetchone()
    assert others == (3,)


def test_what_others_notes_say_of_her_is_on_the_receipt_for_people_to_look_at(
    store: SeededStore, her: Somebody, folder: PrivacyFolder
) -> None:
    row = store.connection.execute("select profile_id from profile where display_name = 'Somebody Else'").fetchone()
    assert row is not None

    def note(detail: str, of: UUID | None) -> UUID:
        found = store.connection.execute(
            "insert into note (note_id, asked_sha256, profile_id, noted_at, operator, source, purpose, subject,"
            " detail, tags, feeling_chosen, feeling_read) values (gen_random_uuid(), 'x', %s, now(), 'Anna', 'staff',"
            " 'service', 's', %s, '{}', 'neutral', '{}') returning note_id",
            [of, detail],
        ).fetchone()
        assert found is not None
        return UUID(str(found[0]))

    named = {note(f"Found the scarf of {NAME.upper()}.", None), note(f"Came with her friend ({EMAIL})", row[0])}
    note(f"{NAME}s are another family", None)  # no whole word
    of_hers = note(f"{NAME} again", her.profile)
    store.connection.execute(
        "insert into follow_up (follow_up_id, note_id, operator, due_at, timezone, instructions, made_at)"
        " select gen_random_uuid(), one, 'Anna', now(), 'UTC', %s, now() from unnest(%s::uuid[]) one",
        [f"Call {NAME}", [*sorted(named)[:1], of_hers]],
    )
    erasure = erase(store.connection, folder, her.profile)
    receipt = find_receipt(store.connection, erasure)
    assert receipt is not None
    follow_up, notes = receipt.naming
    assert (notes.table, notes.rows, set(notes.ids)) == ("note", 2, named)
    assert (follow_up.table, follow_up.rows) == ("follow_up", 1)
    kept = store.connection.execute("select count(*) from note where note_id = any(%s)", [list(named)]).fetchone()
    assert kept == (2,), "nothing is deleted: people look"
    text = store.connection.execute("select naming::text from erasure").fetchone()
    assert text is not None
    assert "scarf" not in text[0]
    with answering(create_app(store.database_url, Settings())) as client:
        told = client.get(f"/v1/erasures/{erasure}").json()
        assert [(one["place"], one["row_count"]) for one in told["naming"]] == [("follow_up", 1), ("note", 2)]
        page = client.get(f"/privacy/erasures/{erasure}").text
        assert "2 notes of others or of nobody named her" in page
        assert "1 follow-up of others" in page


def test_counts_of_her_days_stand(store: SeededStore, her: Somebody, folder: PrivacyFolder) -> None:
    erase(store.connection, folder, her.profile)
    frozen = store.connection.execute("select count(*) from rollup_frozen").fetchone()
    zone = ZoneInfo(store.plan.timezone)
    # from half an hour ago on for ten minutes: on both sides of midnight where the store's day began meanwhile
    days = {
        (store.now - timedelta(days=ago, seconds=before_s)).astimezone(zone).date()
        for ago in (20, 9, 0)
        for before_s in (1_800, 1_201)
    }
    over = days - {store.now.astimezone(zone).date()}
    assert frozen == (len(over),), "the days that are over; today is counted anew"


def test_a_job_that_was_killed_goes_on_where_it_stopped(
    store: SeededStore, her: Somebody, folder: PrivacyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = in_transaction(store.connection, lambda lent: erasing.ask(lent, her.profile, asked_by="Ada"))
    assert erasure is not None
    steps = 0
    while True:  # killed after every single step: another process, another connection
        steps += 1
        assert steps < 200
        with connect(store.database_url) as connection:
            once = iter([False])
            if erasing.work_all(connection, folder, now, stopped=lambda: next(once, True)) == "idle":  # noqa: B023
                break
    assert steps > len(PLACES)
    receipt = find_receipt(store.connection, erasure)
    assert receipt is not None
    assert receipt.state == "done"
    assert {one.place: one.rows for one in receipt.places}["signal_log"] == 30
    assert found_in_database(store.connection, needles(her.secrets)) == {}


def test_a_job_that_is_killed_in_the_middle_ends_in_the_same_receipt(  # noqa: PLR0917 - fixtures
    store: SeededStore, her: Somebody, folder: PrivacyFolder, database_server: Postgres, database_template: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    """SIGKILL between file and database, inside a step of the log, and before the sweeping up."""
    erasure = in_transaction(store.connection, lambda lent: erasing.ask(lent, her.profile, asked_by="Ada"))
    assert erasure is not None
    for place, state in (("listed", "waiting"), ("log", "running"), ("forgotten", "running")):
        killed = subprocess.run(
            [sys.executable, "-m", "tests.privacy.killed_eraser", place, store.database_url, str(folder.folder)],
            cwd=ROOT, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert (find_receipt(store.connection, erasure) or pytest.fail(place)).state == state
    assert erasing.work_all(store.connection, folder, now, stopped=lambda: False) == "idle"
    assert found_in_database(store.connection, needles(her.secrets)) == {}

    with contextmanager(_fresh)(database_server, database_template) as url, writer(url) as connection:
        number = add_stores(connection, PLAN, SMALL_PLAN)["marktplatz"]
        twin = everywhere(connection, store.plan, number, store.now)
        undisturbed = find_receipt(connection, erase(connection, PrivacyFolder(tmp_path / "twin"), twin.profile))
    receipt = find_receipt(store.connection, erasure)
    assert receipt is not None
    assert undisturbed is not None
    assert [(one.place, one.rows, one.verified) for one in receipt.places] == [
        (one.place, one.rows, one.verified) for one in undisturbed.places
    ]


def test_the_log_is_read_once_and_what_came_meanwhile(
    store: SeededStore, her: Somebody, folder: PrivacyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = store.connection
    again = (
        "insert into signal_log (received_at, store_no, edge_no, boot, sequence, signals, first_at, last_at, sha256,"
        " batch) select received_at - %s, store_no, edge_no, boot, %s, signals, first_at, last_at, sha256, batch"
        " from signal_log where sequence = 4"
    )
    connection.execute(again, [timedelta(days=9), 40])  # nobody of hers in it, and old
    hers = connection.execute("select batch from signal_log where sequence = 3").fetchone()
    read: Counter[int] = Counter()

    def decode_counted(payload: bytes) -> Batch:
        batch = decode(payload)
        read[batch.sequence] += 1
        return batch

    late: list[bool] = []

    def come_late() -> bool:
        row = connection.execute(
            "select (cursor ->> 'since_us')::bigint > 0 from erasure_place where place = 'signal_log'"
        ).fetchone()
        if row == (True,) and not late and hers is not None:  # the first pass is over
            connection.execute(again, [timedelta(0), 41])
            connection.execute("update signal_log set batch = %s where sequence = 41", [hers[0]])
            late.append(True)
        return False

    monkeypatch.setattr(batches, "decode", decode_counted)
    in_transaction(connection, lambda lent: erasing.ask(lent, her.profile, asked_by="Ada"))
    assert erasing.work_all(connection, folder, now, stopped=come_late) == "idle"
    assert late
    assert found_in_database(connection, needles(her.secrets)) == {}
    assert read[4] == 4, "the old one once; the young one in each of three passes: one found what came late"


def test_she_is_hidden_at_once_and_cannot_be_brought_back(
    store: SeededStore, her: Somebody, folder: PrivacyFolder, tmp_path: Path
) -> None:
    given = GivenProfile(
        source="crm",
        display_name=NAME,
        loyalty_tier=None,
        identifiers=[Identifier("email", EMAIL)],
        devices=[],
        consent=ConsentWord(
            purpose=PURPOSE, status="granted", source="crm", wording="1", occurred_at=store.now - timedelta(days=50)
        ),
    )
    guard = Guard(folder)

    def bring(what: GivenProfile, guarding: Guard | None = guard) -> UUID | None:
        return in_transaction(store.connection, lambda lent: identify(lent, what, guarding)).profile_id

    app = create_app(store.database_url, Settings(privacy=folder.folder))
    with answering(app) as client:
        assert client.get(f"/v1/profiles/{her.profile}").status_code == 200
        answer = client.post(
            "/v1/erasures",
            json={"profile_id": str(her.profile), "asked_by": "Ada"},
            headers={"Idempotency-Key": "e1"},
        )
        assert answer.status_code == 202
        assert client.get(f"/v1/profiles/{her.profile}").status_code == 404
        assert EMAIL not in client.get("/v1/identity/cases").text
        assert bring(given) is None, "while the job waits"
        assert erasing.work_all(store.connection, folder, now, stopped=lambda: False) == "idle"
        receipt = client.get(f"/v1/erasures/{answer.json()['erasure_id']}").json()
        assert receipt["state"] == "done"
        assert str(her.profile) not in json.dumps(receipt)
        page = client.get(f"/privacy/erasures/{receipt['erasure_id']}")
        assert "every batch was read, those" in page.text
        assert client.get("/privacy").status_code == 200

    assert bring(given) is None
    with pytest.raises(ConfigurationError):
        bring(given, None)
    with pytest.raises(ConfigurationError):
        load_suppressed(store.connection, PrivacyFolder(tmp_path / "another"))
    anew = ConsentWord(purpose=PURPOSE, status="granted", source="crm", wording="1", occurred_at=now())
    again = bring(msgspec.structs.replace(given, devices=[HERS], consent=anew))
    assert again is not None, "a consent that she gave since is her own word"
    suppressed = load_suppressed(store.connection, folder)
    assert suppressed is not None
    assert not suppressed.now(HERS)
    assert suppressed.now(TAG)


def test_other_systems_do_not_learn_that_somebody_was_erased(
    store: SeededStore, her: Somebody, folder: PrivacyFolder
) -> None:
    key, at = "sjk_" + "e" * 43, store.now - timedelta(days=50)
    add_key(
        store.connection, digest(key), prefix="sjk_eeeeee", name="shop", roles=["edge", "crm"], stores=None,
        made_by="tests", holds_for=timedelta(days=1),
    )  # fmt: skip
    with answering(create_app(store.database_url, Settings(privacy=folder.folder))) as client:
        assert send(client, "/v1/profiles", customer(1, at=at, email="gone@shop.test")).status_code == 201
        word = {"identifier": {"kind": "email", "value": "gone@shop.test"}, "source": "web", "wording": "1"}
        withdrawal = word | {"occurred_at": (at + timedelta(days=1)).isoformat()}
        assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
        erase(store.connection, folder, her.profile)
        withdrew, erased = (customer(2, at=at, customer_id="", email=one) for one in ("gone@shop.test", EMAIL))
        with httpx.Client(base_url=client.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=20) as shop:
            told = [send(shop, "/v1/profiles", one) for one in (withdrew, erased)]
        assert [one.status_code for one in told] == [409, 409]
        assert told[0].json() == told[1].json(), "the same of whoever withdrew and whoever was erased"
        assert [one["where"] for one in told[1].json()["faults"]] == ["consent"]
        desk = send(client, "/v1/profiles", erased).json()["faults"]
        assert [one["where"] for one in desk] == ["consent", "email"]
        assert "erased after" in desk[1]["what"]


def test_a_restored_backup_is_erased_again(
    store: SeededStore, her: Somebody, folder: PrivacyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a backup from before: the list of the file knows her, the database has everything of her
    other = {"profile": her.profile, "device": UUID(bytes=HERS)}
    copies = {
        "profile": store.connection.execute("select * from profile where profile_id = %(profile)s", other).fetchone(),
        "visits": store.connection.execute("select * from store_visit where device = %(device)s", other).fetchall(),
    }
    erase(store.connection, folder, her.profile)
    assert not is_behind(store.connection, folder)
    store.connection.execute("truncate suppression")
    store.connection.execute("truncate suppression_state")
    profile = copies["profile"]
    assert profile is not None
    store.connection.execute("insert into profile values (%s, %s, %s, %s, %s, %s)", profile)
    for visit in copies["visits"] or ():
        marks = ", ".join(["%s"] * len(visit))
        store.connection.execute(f"insert into store_visit values ({marks})", visit)

    assert is_behind(store.connection, folder)
    (found,) = [one for one in check_database(store.database_url, folder.folder) if one.what == "erasures"]
    assert [found.state, "suppress reapply" in found.do] == ["fail", True]
    monkeypatch.setattr(restored, "_UNDER_WAY", timedelta(0))
    site = create_app(store.database_url, Settings(privacy=folder.folder))
    no_news = partial(listen, store.database_url, application_name="tests")
    with answering(site) as client:
        for path in ("/v1/profiles", "/v1/stores", "/v1/ready"):
            answer = client.get(path)
            assert [answer.status_code, "suppress reapply" in answer.text] == [503, True], path
        assert client.get("/v1/health").status_code == 200
        with pytest.raises(UnavailableError, match="restored"):
            Arrivals(site.state.service, no_news).tell_arrivals("marktplatz")
        again = reapply(store.connection, folder)
        assert again == (1, 1), "her profile, and a device that nothing links to it any more"
        assert str(again) == "1 profile and 1 device"
        assert client.get("/v1/profiles").status_code == 200, "she is hidden at once"
        assert client.get("/v1/ready").json()["ready"]
    erasing.work_all(store.connection, folder, now, stopped=lambda: False)
    assert found_in_database(store.connection, needles(her.secrets)) == {}
    assert reapply(store.connection, folder) == (0, 0)


def test_a_copy_of_the_list_outlasts_the_machine(
    store: SeededStore, her: Somebody, folder: PrivacyFolder, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    assert folder.copy_to(copy) == 0
    erase(store.connection, folder, her.profile)
    told = CliRunner().invoke(app, ["suppress", "copy", str(copy)], env={"SOJOURN_PRIVACY": str(folder.folder)})
    assert told.exit_code == 0, told.output
    assert "lines of the list" in told.output
    assert {path.name: path.stat().st_mode & 0o777 for path in copy.iterdir()} == {KEY: 0o600, LIST: 0o600}
    assert PrivacyFolder(copy).key == folder.key
    assert list(PrivacyFolder(copy).entries()) == list(folder.entries())
    for wrong in (PrivacyFolder(tmp_path / "begun anew"), shortened(copy, tmp_path / "shorter")):
        with pytest.raises(ConfigurationError, match="another list, or a newer one"):
            wrong.copy_to(copy)
    assert len(list(PrivacyFolder(copy).entries())) > 1


def shortened(folder: Path, into: Path) -> PrivacyFolder:
    """The same list as it stood before its last line."""
    shutil.copytree(folder, into)
    lines = (into / LIST).read_text().splitlines(keepends=True)
    (into / LIST).write_text("".join(lines[:-1]))
    return PrivacyFolder(into)


def test_what_went_to_somebody_else_stays_theirs(store: SeededStore, her: Somebody, folder: PrivacyFolder) -> None:
    connection = store.connection
    (other,) = (
        connection.execute("select profile_id from profile where display_name = 'Somebody Else'").fetchone() or ()
    )
    connection.execute("update profile_identifier set ended_at = now() where kind = 'email' and value = %s", [EMAIL])
    connection.execute(
        "insert into profile_identifier (profile_id, kind, value, source) values (%s, 'email', %s, 'crm')",
        [other, EMAIL],
    )
    handed = store.now - timedelta(days=10)
    connection.execute("update device_link set valid_to = %s where device = %s", [handed, UUID(bytes=HERS)])
    connection.execute(
        "insert into device_link (device, profile_id, valid_from) select %s, profile_id, %s from profile"
        " where display_name = 'Somebody Else'",
        [UUID(bytes=HERS), handed],
    )
    erase(connection, folder, her.profile)
    left = connection.execute("select count(*) from store_visit where device = %s", [UUID(bytes=HERS)]).fetchone()
    assert left == (2,), "those since it is theirs"
    suppressed = load_suppressed(connection, folder)
    assert suppressed is not None
    assert not suppressed.now(HERS)
    word = ConsentWord(purpose=PURPOSE, status="granted", source="crm", wording="1", occurred_at=handed)
    given = GivenProfile(
        source="crm",
        display_name="Somebody Else",
        loyalty_tier=None,
        identifiers=[Identifier("email", EMAIL)],
        devices=[],
        consent=word,
    )
    found = in_transaction(connection, lambda lent: identify(lent, given, Guard(folder)))
    assert found.profile_id == other, "her mailbox is somebody else's by now, who did not ask for anything"


def test_access_export_holds_every_place_and_only_hers(
    store: SeededStore, her: Somebody, folder: PrivacyFolder
) -> None:
    with answering(create_app(store.database_url)) as client:
        answer = client.get(f"/v1/profiles/{her.profile}/access-export")
        assert answer.status_code == 200
        with ZipFile(io.BytesIO(answer.content)) as archive:
            held = {name: json.loads(archive.read(name)) for name in archive.namelist()}
        assert client.get(f"/v1/profiles/{UUID(int=7)}/access-export").status_code == 404
    manifest = held.pop("manifest.json")
    assert {one["file"]: one["rows"] for one in manifest["files"]} == {name: len(rows) for name, rows in held.items()}
    empty = {name.removesuffix(".json") for name, rows in held.items() if not rows}
    assert empty <= {"blocked_device", "rollup_change", "profile_read", "profile_shown"}
    assert len(held["signal_log.json"]) == 30
    assert held["profile.json"][0]["display_name"] == NAME
    assert "Somebody Else" not in json.dumps(held)
    (case,) = held["identity_case.json"]
    assert (case["profiles"], case["other_profiles"]) == ([str(her.profile)], 1)
    (other,) = store.connection.execute(
        "select one from identity_case, unnest(profiles) one where one <> %s", [her.profile]
    ).fetchall()
    assert str(other[0]) not in json.dumps(held), "who may be the same person is somebody else until that is decided"
    assert OTHER.hex() not in json.dumps(held).replace("-", "")


def test_nobody_stands_for_whoever_is_redacted(folder: PrivacyFolder) -> None:
    from core.dwell.devices import DeviceTable  # noqa: PLC0415 - loads numba

    rows = np.frombuffer(HERS + OTHER + TAG, np.uint8).reshape(-1, 16)
    table = DeviceTable()
    index = table.index(rows)
    suppressed = Suppressed(folder.key, {})
    assert not suppressed.erased(rows).any()
    assert table.redact(lambda known: np.array([row.tobytes() != OTHER for row in known])) == 2
    assert are_nobody(table.pseudonyms(index)).tolist() == [True, False, True]
    assert table.index(rows[1:2]) == index[1:2]
    assert table.index(rows[:1]) not in index, "who comes again is a new device"
    again = DeviceTable.from_rows(table.rows(), table.free(), table.named())
    assert are_nobody(again.pseudonyms(index)).sum() == 2


def test_the_api_refuses_without_a_folder(client: httpx.Client, her: Somebody) -> None:
    answer = client.post(
        "/v1/erasures", json={"profile_id": str(her.profile), "asked_by": "A"}, headers={"Idempotency-Key": "1"}
    )
    assert answer.status_code == 503
    assert "SOJOURN_PRIVACY" in answer.json()["hint"]


@pytest.mark.parametrize("other", [True, False])
def test_an_api_with_another_key_of_the_list_says_so_and_writes_no_customer(
    store: SeededStore, her: Somebody, folder: PrivacyFolder, tmp_path: Path, other: bool
) -> None:  # fmt: skip
    erase(store.connection, folder, her.profile)
    settings = Settings(privacy=tmp_path / "another" if other else None)
    given = customer(77, at=datetime.now(UTC), email="somebody.else@shop.test")
    with capture_logs() as logged, answering(create_app(store.database_url, settings)) as client:
        wait_for(lambda: [one for one in logged if one["event"] == "customers cannot be written"], "the log")
        answer = send(client, "/v1/profiles", given)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:sojourn:problem:set-up")
        assert "SOJOURN_PRIVACY" in answer.json()["hint"]
        assert client.get("/v1/stores").status_code == 200
