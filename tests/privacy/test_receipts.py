"""A receipt names nobody, whatever was said when the erasure was asked for; no other spelling brings her back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from api.app import create_app
from api.settings import Settings
from storage.connect import in_transaction
from storage.privacy import erasing
from storage.privacy.keys import PrivacyFolder
from storage.privacy.receipts import find_receipt
from tests.api.inputting import customer, send
from tests.api.serving import answering
from tests.fix_api import SeededStore
from tests.privacy.searching import found_in_database, wide

pytestmark = pytest.mark.servers
NAME = "Zarathustra Kanarienvogel"
HERS = {"name": NAME.encode(), "mail": b"amara@her.example", "number": b"KD-77312"}


def now() -> datetime:
    return datetime.now(UTC)


def test_a_receipt_holds_neither_the_name_nor_an_identifier_of_whom_it_is_about(
    store: SeededStore, tmp_path: Path
) -> None:
    folder = PrivacyFolder(tmp_path / "privacy")
    with answering(create_app(store.database_url, Settings(privacy=folder.folder))) as client:
        given = customer(1, at=store.now - timedelta(days=9), email="amara@her.example")
        given["display_name"] = NAME
        given["identifiers"][0]["value"] = "KD-77312"
        her = send(client, "/v1/profiles", given).json()["profile_id"]
        said = f"{NAME} <amara@her.example>, KD-77312"
        asked = send(client, "/v1/erasures", {"profile_id": her, "asked_by": said}, key="e1")
        assert (asked.status_code, asked.json()["asked_by"]) == (202, "tests"), "the key that asked"
        assert erasing.work_all(store.connection, folder, now, stopped=lambda: False) == "idle"
        receipt = client.get(f"/v1/erasures/{asked.json()['erasure_id']}").json()
        assert (receipt["state"], receipt["asked_by"]) == ("done", "tests")
        assert found_in_database(store.connection, HERS) == {}
        for kind, value in (
            ("customer_id", "KD-77312"), ("customer_id", wide("KD-77312")), ("email", wide("A") + "mara@her.example"),
        ):  # fmt: skip
            back = send(client, "/v1/profiles", given | {"identifiers": [{"kind": kind, "value": value}]})
            assert (back.status_code, back.json()["faults"][0]["where"]) == (409, "consent"), value


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("M. Okafor", "M. Okafor"),
        ("desk 3, ticket 77", "desk 3, ticket 77"),
        (NAME, ""),
        ("Mrs KANARIENVOGEL herself", ""),
        ("ticket of " + wide("kd-77312"), ""),
        ("customer KD-77312.", ""),
        ("her husband, h@elsewhere.example", ""),
        ("call +49 151 2345678", ""),
    ],
)
def test_by_whom_it_was_asked_is_kept_unless_that_names_her(store: SeededStore, said: str, kept: str) -> None:
    with answering(create_app(store.database_url, Settings())) as client:
        given = customer(1, at=store.now - timedelta(days=9)) | {"display_name": NAME}
        given["identifiers"][0]["value"] = "KD-77312"
        her = UUID(send(client, "/v1/profiles", given).json()["profile_id"])
    erasure = in_transaction(store.connection, lambda lent: erasing.ask(lent, her, asked_by=said))
    assert erasure is not None
    receipt = find_receipt(store.connection, erasure)
    assert receipt is not None
    assert receipt.asked_by == kept


def test_whose_number_was_written_in_wide_letters_stays_away_in_plain_ones(
    store: SeededStore, tmp_path: Path
) -> None:
    folder = PrivacyFolder(tmp_path / "privacy")
    with answering(create_app(store.database_url, Settings(privacy=folder.folder))) as client:
        given = customer(1, at=store.now - timedelta(days=9))
        plain, given["identifiers"][0]["value"] = dict(given), wide("KD-9")
        plain["identifiers"] = [{"kind": "customer_id", "value": "KD-9"}]
        her = send(client, "/v1/profiles", given).json()["profile_id"]
        assert send(client, "/v1/erasures", {"profile_id": her}).status_code == 202
        assert send(client, "/v1/profiles", plain).status_code == 409, "while the job waits"
        assert erasing.work_all(store.connection, folder, now, stopped=lambda: False) == "idle"
        assert send(client, "/v1/profiles", plain).status_code == 409
        plain["consent"] = plain["consent"] | {"occurred_at": now().isoformat()}
        assert send(client, "/v1/profiles", plain).status_code == 201, "a consent that she gave since"
