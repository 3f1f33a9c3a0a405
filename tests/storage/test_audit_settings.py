"""Changes of rights, doors and rules in the audit: who made them and what they gave, and nothing that is secret."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from storage.access.accounts import add_account, change_account, set_password, use_step
from storage.access.keys import add_key, mark_used, revoke_key
from storage.access.secrets import digest
from storage.audit.acting import Acting, state
from storage.audit.entries import AuditEntry, AuditFilter, entries_page
from storage.audit.sealing import seal
from storage.audit.verifying import verify
from storage.connect import Connection, connect, in_transaction
from storage.webhooks.senders import add_sender

pytestmark = pytest.mark.servers
ADA = Acting(actor="Ada", actor_kind="person", route="POST /people", purpose="administration", role="admin")
SETTINGS = {
    "account", "api_key", "webhook_subscription", "webhook_sender", "message_template", "alert_rule",
    "store_alert_rule", "segment", "cue_policy", "cue_trial", "exclusion_change", "note_choice",
}  # fmt: skip
NEVER_TOLD = ("secret", "sha256", "hash", "salt", "totp", "code", "subject", "body", "recovery", "token")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection, connection.transaction():
        state(connection, ADA)
        yield connection


def entered(connection: Connection, table: str) -> list[AuditEntry]:
    page = entries_page(connection, AuditFilter(actor="Ada", kind="change"), limit=200)
    return [one for one in page.entries if one.fields == [table]][::-1]


def test_who_gives_rights_to_accounts_is_entered_with_the_rights(connection: Connection) -> None:
    add_account(connection, name="root", display_name="Root", roles=["admin"], made_by="tests")
    carl = add_account(connection, name="carl", display_name="Carl", roles=["crm"], made_by="tests")
    change_account(connection, carl, display_name="Carl", roles=["crm", "privacy"], stores=None)
    set_password(connection, carl, "$argon2id$quokka")
    assert use_step(connection, carl, 7), "a login is entered as one, not as a change of the account"
    made, given, renewed = entered(connection, "account")[1:]
    assert [one.detail["change"] for one in (made, given, renewed)] == ["insert", "update", "update"]
    assert given.detail["columns"] == ["roles"]
    assert (given.detail["was"], given.detail["row"]["roles"]) == ({"roles": ["crm"]}, ["crm", "privacy"])
    assert given.detail["row"]["name"] == "carl"
    assert (renewed.detail["columns"], renewed.detail["was"]) == (["password_hash"], {})
    assert (given.actor, given.purpose, given.people_count) == ("Ada", "administration", 0)


def test_keys_and_doors_to_the_outside_are_entered_without_their_secrets(connection: Connection) -> None:
    number = add_key(
        connection, digest("sjk_quokka"), prefix="sjk_abcdef", name="grab", roles=["privacy"], stores=None,
        made_by="Ada", holds_for=timedelta(days=1),
    )  # fmt: skip
    mark_used(connection, number)
    revoke_key(connection, number)
    made, revoked = entered(connection, "api_key")
    assert (made.detail["row"]["name"], made.detail["row"]["roles"]) == ("grab", ["privacy"])
    assert revoked.detail["columns"] == ["revoked_at"]
    add_sender(connection, "crmx", "whsec_quokka")
    connection.execute("update webhook_sender set secret = 'whsec_quokka2', heard_at = now()")
    connection.execute("update webhook_sender set heard_at = now() + interval '1 s'")
    connection.execute(
        "insert into webhook_subscription (subscription_id, url, event_types, description, secret)"
        " values (%s, 'https://u:' || 'quokka@crm.test:8443/quokka?t=quokka', '{}', 'quokka', 'whsec_quokka')",
        [uuid4()],
    )
    connection.execute("update webhook_subscription set dropped = dropped + 1")
    connection.execute("delete from webhook_sender")
    assert [one.detail["change"] for one in entered(connection, "webhook_sender")] == ["insert", "update", "delete"]
    assert entered(connection, "webhook_sender")[1].detail["columns"] == ["secret"]
    (subscribed,) = entered(connection, "webhook_subscription")
    assert subscribed.detail["row"]["url"] == "crm.test:8443"
    told = connection.execute("select string_agg(audit_entry::text, ' ') from audit_entry").fetchone()
    assert told is not None
    assert "quokka" not in told[0]
    for secret in (digest("sjk_quokka"), digest("whsec_quokka")):
        assert secret.hex() not in told[0]


def test_every_setting_enters_its_changes_and_tells_no_column_that_may_be_secret(connection: Connection) -> None:
    found: dict[str, list[str]] = {
        table: _first(arguments) for table, arguments in connection.execute(
            "select relname, string_to_array(encode(tgargs, 'escape'), '\\000') from pg_trigger"
            "  join pg_class on pg_class.oid = tgrelid where tgname = 'audit_setting'"
        )
    }  # fmt: skip
    assert set(found) == SETTINGS
    columns: dict[str, Any] = dict(
        connection.execute(
            "select table_name::text, array_agg(column_name::text) from information_schema.columns"
            " where table_schema = 'public' group by 1"
        ).fetchall()
    )
    for table, told in found.items():
        assert set(told) <= set(columns[table]), table
        assert not [one for one in told if any(word in one for word in NEVER_TOLD)], table


def test_the_chain_covers_what_an_entry_of_a_setting_says(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("insert into alert_rule (rule, operator, enabled) values ('x', 'Carl', true)")
        in_transaction(connection, seal)
        assert verify(connection).broken is None
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update audit_entry set detail = jsonb_set(detail, '{row,operator}', '\"Ada\"')"
            " where fields = '{alert_rule}'"
        )
        assert verify(connection).broken is not None


def _first(arguments: list[str]) -> list[str]:
    return arguments[0].strip("{}").split(",")
