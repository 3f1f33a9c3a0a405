"""The audit log in a real database: entered by the tables, chained, verified; what erasure and retention may do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg import errors
from typer.testing import CliRunner

from core.privacy.retention import KINDS
from core.privacy.suppression import subject_hash
from sojourn import app
from storage.audit import sealing
from storage.audit.acting import Acting, state
from storage.audit.entries import PEOPLE_NAMED, AuditFilter, Shown, enter, entries_page
from storage.audit.erasing import forget_before, named, pseudonymise
from storage.audit.heads_file import read_heads, write_heads
from storage.audit.sealing import heads, seal
from storage.audit.verifying import Verdict, verify
from storage.connect import Connection, connect, in_transaction
from storage.privacy.keys import Entry, PrivacyFolder
from storage.privacy.suppression import suppress

pytestmark = pytest.mark.servers
AT = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
ANNA = Acting(
    actor="Anna", actor_kind="person", route="GET /v1/profiles/{profile}", purpose="service", role="crm", at=AT
)
NOT_PEOPLE = {
    "alert_look": "when a program last looked at a profile; the alerts that came of it are entered",
    "audit_subject": "the audit log itself",
    "profile_read": "a budget of today; each look is entered by itself",
    "profile_shown": "the same",
    "profile_store": "follows from visits, notes and events",
    "webhook_message": "a queue of what is entered already; its deliveries are a log of their own",
}
"""Tables with a profile in them whose changes are not entered, each with its reason."""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


def add_profile(connection: Connection, name: str = "Ada", who: Acting | None = None) -> UUID:
    def add(lent: Connection) -> UUID:
        state(lent, who)
        row = lent.execute("insert into profile (display_name) values (%s) returning profile_id", [name]).fetchone()
        assert row is not None
        found: UUID = row[0]
        return found

    return in_transaction(connection, add)


def sealed(connection: Connection) -> Verdict:
    in_transaction(connection, seal)
    return verify(connection)


@contextmanager
def owner_without_scruples(connection: Connection) -> Iterator[None]:
    """What somebody can do who owns the database: no trigger stands in the way. Taken back afterwards."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local session_replication_role = replica")
        yield


def seal_as_of(connection: Connection, day: date) -> None:
    """What was sealed on a day in the past: the database lets nobody say so whose triggers stand."""

    def work(lent: Connection) -> None:
        lent.execute("set local session_replication_role = replica")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sealing, "_today", lambda *_: day)
            assert seal(lent) > 0

    in_transaction(connection, work)


def today(connection: Connection) -> date:
    row = connection.execute("select (now() at time zone 'UTC')::date").fetchone()
    assert row is not None
    found: date = row[0]
    return found


def test_every_change_is_entered_with_digests_and_without_contents(connection: Connection) -> None:
    ada = add_profile(connection, "Ada Lindqvist", ANNA)
    connection.execute("update profile set display_name = 'Ada L.' where profile_id = %s", [ada])
    connection.execute(
        "update profile set display_name = 'Ada L.' where profile_id = %s", [ada]
    )  # nothing is otherwise
    connection.execute("delete from profile where false")
    connection.execute("delete from profile where profile_id = %s", [ada])
    removed, changed, added = entries_page(connection, AuditFilter(profile_id=ada), limit=10).entries
    assert (added.actor, added.role, added.purpose, added.kind) == ("Anna", "crm", "service", "change")
    assert (added.fields, added.people, added.at) == (["profile"], [ada], AT)
    assert (changed.actor, changed.actor_kind, changed.purpose) == ("sojourn", "program", "operation")
    assert [one.detail["change"] for one in (added, changed, removed)] == ["insert", "update", "delete"]
    assert changed.detail["before"] != changed.detail["after"]
    assert set(added.detail) == {"change", "rows", "after"}
    row = connection.execute("select string_agg(audit_entry::text, ' ') from audit_entry").fetchone()
    assert row is not None
    assert "Ada" not in row[0]


def test_changes_of_notes_and_tasks_name_the_customer(connection: Connection) -> None:
    ada, note, task = add_profile(connection), uuid4(), uuid4()
    connection.execute(
        "insert into note (note_id, asked_sha256, profile_id, noted_at, operator, source, purpose, subject, detail,"
        " tags, feeling_chosen, feeling_read)"
        " values (%s, 'x', %s, now(), 'Anna', 'staff', 'service', 's', 'd', '{}', 'neutral', '{}')",
        [note, ada],
    )
    connection.execute(
        "insert into follow_up (follow_up_id, note_id, operator, due_at, timezone, instructions, made_at)"
        " values (%s, %s, 'Anna', now(), 'UTC', 'call', now())",
        [task, note],
    )
    connection.execute("insert into follow_up_change values (%s, 1, now(), 'Anna', 'snoozed', 'a', 'b')", [task])
    connection.execute("delete from note where note_id = %s", [note])  # its tasks go with it
    found = entries_page(connection, AuditFilter(profile_id=ada), limit=20).entries
    assert {one.fields[0] for one in found} >= {"profile", "note", "follow_up", "follow_up_change"}


def test_every_table_about_people_enters_its_changes(connection: Connection) -> None:
    tables = {row[0] for row in connection.execute(
        "select table_name from information_schema.columns"
        "  join information_schema.tables using (table_schema, table_name)"
        " where table_schema = 'public' and table_type = 'BASE TABLE' and column_name in ('profile_id', 'profiles')"
    )}  # fmt: skip
    entering = {row[0] for row in connection.execute(
        "select relname from pg_trigger join pg_class on pg_class.oid = tgrelid"
        " where tgname in ('audit_insert', 'audit_update', 'audit_delete') group by relname having count(*) = 3"
    )}  # fmt: skip
    assert tables - entering == set(NOT_PEOPLE), "call audit_changes_of in the table's migration, or say why not"


def test_nobody_rewrites_it_by_mistake(connection: Connection) -> None:
    enter(connection, ANNA, "read", people=[uuid4()], fields=["profile"])
    in_transaction(connection, seal)
    for statement in (
        "update audit_entry set actor = 'nobody'",
        "delete from audit_entry",
        "truncate audit_entry cascade",
        "update audit_link set hash = ''",
        "delete from audit_link",
        "delete from audit_subject",
        "update audit_subject set profile_id = gen_random_uuid()",
        "truncate audit_waiting",
    ):
        with pytest.raises(errors.RestrictViolation):
            connection.execute(statement)


def test_what_was_rewritten_is_named(connection: Connection) -> None:
    people = [uuid4() for _ in range(5)]
    numbers = [enter(connection, ANNA, "read", people=[one], fields=["profile"]) for one in people]
    assert sealed(connection).broken is None
    kept = read_heads(write_heads(heads(connection, days=9)), name="kept")
    wrong = {
        "update audit_entry set actor = 'Bert' where entry_no = %(two)s": "is not as it was sealed",
        "update audit_entry set at = at - interval '1 day' where entry_no = %(two)s": "is not as it was sealed",
        "delete from audit_entry where entry_no = %(two)s": "was taken away",
        "delete from audit_link where entry_no = %(one)s": "follows a gap",
        "delete from audit_subject where entry_no = %(two)s": "lost whom it is about",
        "update audit_subject set profile_id = gen_random_uuid() where entry_no = %(two)s": "somebody else",
        "update audit_subject set profile_id = null, salt = null, pseudonym = 'x'"
        " where entry_no = %(two)s": "no erasure",
    }
    for statement, said in wrong.items():
        with owner_without_scruples(connection):
            connection.execute(statement, {"one": numbers[0], "two": numbers[1]})
            found = verify(connection)
            assert found.broken is not None, statement
            assert said in found.broken
            assert found.entry_no == numbers[1], statement
    cut = "delete from audit_link where entry_no = %s", "delete from audit_entry where entry_no = %s"
    with owner_without_scruples(connection):
        for statement in cut:
            connection.execute(statement, [numbers[-1]])
        connection.execute("delete from audit_subject where entry_no = %s", [numbers[-1]])
        assert verify(connection).broken is None  # it cannot know …
        assert "The end was cut off" in str(verify(connection, kept).broken)  # … but a head that was kept does
    with owner_without_scruples(connection):
        connection.execute(cut[0], [numbers[-1]])
        assert "stands outside" in str(verify(connection).broken)
    agreed = verify(connection, kept)
    assert [agreed.compared, agreed.untold] == [1, 0]
    assert agreed == msgspec.structs.replace(sealed(connection), compared=1)


def test_a_beginning_that_was_cut_off_shows_against_the_heads(connection: Connection) -> None:
    for _ in range(3):
        enter(connection, ANNA, "read", people=[uuid4()])
    assert sealed(connection).links == 3
    (head,) = heads(connection, days=1)
    today, long_ago = {head.day: (3, head.hash)}, {head.day - timedelta(days=400): (3, head.hash)}
    for digest, published, said in (
        (b"nonsense", today, "another hash"), (head.hash, today, "younger than 366 days"),
        (b"nonsense", long_ago, "another hash"), (head.hash, long_ago, None),
    ):  # fmt: skip
        for statement in (
            "delete from audit_entry", "delete from audit_link", "delete from audit_subject",
            "insert into audit_start select link_no, hash from audit_link",
        ):  # fmt: skip
            with connection.transaction(force_rollback=True):
                # as retention does, which whoever has the API's login may say he is
                connection.execute("set local sojourn.forgetting = 'on'")
                with pytest.raises(errors.RestrictViolation):
                    connection.execute(statement)
        with owner_without_scruples(connection):
            connection.execute("insert into audit_start (link_no, hash) values (3, %s)", [digest])
            connection.execute("delete from audit_link")
            connection.execute("delete from audit_entry")
            assert "no run of retention" in str(verify(connection).broken)
            connection.execute(
                "insert into retention_run (kind, before_at, rows, unit, finished_at)"
                " values ('audit', now() - interval '366 days', 3, 'rows', clock_timestamp())"
            )
            found = verify(connection, published)
            assert (found.broken is None) if said is None else (said in str(found.broken)), found
            assert found.compared == (said is None)
            earlier = {head.day - timedelta(days=500): (2, b"x")}
            assert [verify(connection, earlier).compared, verify(connection, earlier).untold] == [0, 1]
            assert verify(connection).broken is None, "who writes that, too, is found by heads alone"


def test_no_writer_waits_for_the_chain_and_none_is_forgotten(database_url: str, connection: Connection) -> None:
    with connect(database_url) as slow, connect(database_url) as other:
        with slow.transaction():
            enter(slow, ANNA, "read", people=[uuid4()])  # the lower number, committed later
            enter(connection, ANNA, "read", people=[uuid4()])
            with other.transaction():
                assert seal(other) == 1
                with connection.transaction():
                    assert seal(connection) == 0  # one at a time, and nobody waits
                enter(connection, ANNA, "read", people=[uuid4()])
        assert sealed(connection).links == 3
        assert verify(connection) == Verdict(links=3, waiting=0, head=heads(connection, days=1)[0].hash)


def erase_in_audit(connection: Connection, profile: UUID, pseudonym: bytes = b"k" * 32) -> int:
    """What a job does to the audit log: a profile goes, list, receipt (the whole job: tests/privacy)."""

    def erase(lent: Connection) -> int:
        lent.execute("delete from profile where profile_id = %s", [profile])
        lent.execute(
            "insert into suppression (kind, subject_hash, made_at) values ('profile', %s, now())"
            " on conflict do nothing",
            [pseudonym],
        )
        row = lent.execute(
            "insert into erasure (erasure_id, source, asked_by, state, subject_hash)"
            " values (gen_random_uuid(), 'request', 'Anna', 'running', %s) returning erasure_id",
            [pseudonym],
        ).fetchone()
        assert row is not None
        lent.execute("insert into erasure_subject values (%s, 'profile', %s)", [row[0], profile])
        done = pseudonymise(lent, ANNA, profile, pseudonym)
        lent.execute(
            "insert into erasure_place (erasure_id, place, turn, rows) values (%s, 'audit_subject', 0, %s)",
            [row[0], done],
        )
        lent.execute("delete from erasure_subject where erasure_id = %s", [row[0]])
        return done

    return in_transaction(connection, erase)


def test_nobody_who_is_there_becomes_a_pseudonym(connection: Connection, tmp_path: Path) -> None:
    ada, bert = add_profile(connection), add_profile(connection)
    folder = PrivacyFolder(tmp_path / "privacy")
    hers, his = (subject_hash(folder.key, "profile", one.bytes) for one in (ada, bert))
    in_transaction(connection, lambda lent: suppress(lent, folder, []))
    for one in (ada, bert):
        enter(connection, ANNA, "read", people=[one])
    assert erase_in_audit(connection, ada, hers) == 3  # her entry as new, as looked at, as gone
    folder.append([Entry("profile", hers, None, None, 0)])
    in_transaction(connection, seal)
    assert verify(connection, folder=folder).broken is None

    hide = "update audit_subject set profile_id = null, salt = null, pseudonym = %s where profile_id = %s"
    entry = (
        "select audit_enter(jsonb_build_object('kind', 'erasure', 'detail',"
        " jsonb_build_object('pseudonym', %s::text)))"
    )
    with pytest.raises(errors.RestrictViolation):  # no job, and he is there
        connection.execute(hide, [hers, bert])
    job = (
        "insert into erasure (erasure_id, source, asked_by, state, subject_hash)"
        " values ('00000000-0000-0000-0000-000000000007', 'request', 'x', 'running', %s)"
    )
    subject = "insert into erasure_subject values ('00000000-0000-0000-0000-000000000007', 'profile', %s)"
    listed = "insert into suppression (kind, subject_hash, made_at) values ('profile', %s, now())"
    receipt = (
        "insert into erasure_place (erasure_id, place, turn, rows)"
        " values ('00000000-0000-0000-0000-000000000007', 'audit_subject', 0, 2)"
    )
    with connection.transaction(force_rollback=True):
        connection.execute(job, [his])
        connection.execute(subject, [bert])
        with pytest.raises(errors.RestrictViolation), connection.transaction():  # a job, and he is there
            connection.execute(hide, [his, bert])

    # whoever keeps the triggers away: with what he forgets each shows
    with owner_without_scruples(connection):
        connection.execute(entry, [hers.hex()])
        connection.execute(hide, [hers, bert])
        assert "than the receipts of her erasure say" in str(verify(connection).broken), "as somebody who was erased"
    with owner_without_scruples(connection):
        connection.execute(entry, [his.hex()])
        connection.execute(hide, [his, bert])
        assert "is not on the suppression list." in str(verify(connection).broken)
        connection.execute(listed, [his])
        assert "than the receipts of her erasure say" in str(verify(connection).broken)
        connection.execute(job, [his])
        connection.execute(receipt)
        connection.execute("insert into audit_waiting select max(entry_no) from audit_entry on conflict do nothing")
        assert verify(connection).broken is None, "all that one who writes in the database can do"
        assert "outside of the database" in str(verify(connection, folder=folder).broken)
        folder.append([Entry("profile", his, None, None, 0)])
        assert "still there" in str(verify(connection, folder=folder).broken)


def test_erasure_takes_the_person_and_leaves_the_chain(connection: Connection) -> None:
    ada, bert = add_profile(connection), add_profile(connection)
    enter(connection, ANNA, "list", people=[ada, bert, ada], fields=["profiles"])
    in_transaction(connection, seal)
    before = verify(connection)

    assert erase_in_audit(connection, ada) == 3
    assert named(connection, ada) == 0
    assert pseudonymise(connection, ANNA, ada, b"k" * 32) == 0
    assert sealed(connection) == Verdict(links=before.links + 2, waiting=0, head=heads(connection, days=1)[0].hash)
    entry = entries_page(connection, AuditFilter(profile_id=bert, kind="list"), limit=1).entries[0]
    assert (entry.people, entry.people_count, entry.erased_count) == ([bert], 2, 1)
    for table in ("audit_entry", "audit_subject", "audit_link"):
        row = connection.execute(
            f"select count(*) from {table} one where one::text like '%%' || %s || '%%'", [str(ada)]
        ).fetchone()
        assert row == (0,), table


def test_retention_takes_the_oldest_and_the_rest_still_holds(connection: Connection) -> None:
    for days in (440, 430, 420, 410, 405):
        enter(connection, ANNA, "read", people=[uuid4()])
        seal_as_of(connection, (AT - timedelta(days=days)).date())
    assert in_transaction(connection, lambda lent: forget_before(lent, AT - timedelta(days=425))) == 2
    assert in_transaction(connection, lambda lent: forget_before(lent, AT - timedelta(days=425))) == 0
    assert verify(connection).links == 3
    assert verify(connection).broken is None
    assert in_transaction(connection, lambda lent: forget_before(lent, AT - timedelta(days=400))) == 3
    enter(connection, ANNA, "read")
    assert sealed(connection).links == 1
    with pytest.raises(errors.RestrictViolation):
        connection.execute("delete from audit_entry")


def test_looks_side_by_side_do_not_find_the_same_room_in_a_day(database_url: str, connection: Connection) -> None:
    people = [uuid4() for _ in range(4)]

    def show(lent: Connection, some: list[UUID], principal: str = "anna") -> int | None:
        return enter(lent, ANNA, "list", people=some, shown=Shown(principal=principal, people=some, most=3))

    with connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with connection.transaction():
            assert show(connection, people[:2]) is not None
            meanwhile = pool.submit(show, other, people[2:])
            assert show(connection, people[:2], "carl") is not None, "each has a day of their own"
            wait([meanwhile], timeout=0.3)
            assert not meanwhile.done(), "what is not committed yet may still be taken back: it waits"
        assert meanwhile.result(20) is None, "two are shown, two more are one too many"
    assert show(connection, people[1:3]) is not None, "one new and one who was shown: three"
    assert show(connection, [people[0], people[0]]) is not None
    assert show(connection, people[3:]) is None
    told = entries_page(connection, AuditFilter(kind="list"), limit=10).entries
    assert [len(one.people) for one in told] == [1, 2, 2, 2], "what was refused is not entered as a look"


def test_retention_takes_nothing_that_every_policy_keeps(connection: Connection) -> None:
    kept = timedelta(days=KINDS["audit"].least)
    now = today(connection)
    for day in (now - kept - timedelta(days=1), now - kept):
        enter(connection, ANNA, "read", people=[uuid4()])
        seal_as_of(connection, day)
    long_after = datetime.now(UTC) + timedelta(days=9_000)
    # a clock that runs ahead, or a policy that was asked for otherwise
    assert in_transaction(connection, lambda lent: forget_before(lent, long_after)) == 1
    found = verify(connection)
    assert (found.links, found.broken) == (1, None)


def test_what_is_said_to_be_old_does_not_go_through_retentions_door(connection: Connection) -> None:
    long_ago = msgspec.structs.replace(ANNA, at=datetime(2024, 1, 1, tzinfo=UTC))
    ada = add_profile(connection, who=long_ago)
    door = "set local sojourn.forgetting = 'on'"

    def refused(*statements: str) -> None:
        for statement in statements:
            with connection.transaction(force_rollback=True):
                connection.execute(door)
                with pytest.raises(errors.RestrictViolation):
                    connection.execute(statement)

    waits = "delete from audit_entry", "delete from audit_subject"
    refused(*waits)
    with connection.transaction(force_rollback=True):
        connection.execute("delete from audit_waiting")
        refused(*waits)
    refused(  # nobody seals by hand on a day that is over
        "insert into audit_link (link_no, entry_no, sealed_on, hash)"
        " select 1, entry_no, '2024-01-01', 'x' from audit_entry"
    )
    in_transaction(connection, seal)
    refused(
        *waits,
        "delete from audit_link",
        "insert into audit_start (link_no, hash) select link_no, hash from audit_link",
    )
    assert in_transaction(connection, lambda lent: forget_before(lent, datetime.now(UTC))) == 0
    assert [entry.people for entry in entries_page(connection, AuditFilter(), limit=9).entries] == [[ada]]
    assert verify(connection).broken is None


def test_pages_go_through_every_entry_once(connection: Connection) -> None:
    numbers = [enter(connection, ANNA, "read", people=[uuid4()]) for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = entries_page(connection, AuditFilter(actor="Anna", day=AT.date()), limit=2, cursor=cursor)
        seen += [entry.entry_no for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == numbers[::-1]
    assert entries_page(connection, AuditFilter(day=AT.date() - timedelta(days=1)), limit=2).entries == ()


def test_a_large_export_names_the_first_and_counts_all(connection: Connection) -> None:
    people = [uuid4() for _ in range(PEOPLE_NAMED + 5)]
    enter(connection, ANNA, "export", people=people)
    (entry,) = entries_page(connection, AuditFilter(), limit=1).entries
    assert (entry.people_count, entry.detail) == (PEOPLE_NAMED, {"people_count": PEOPLE_NAMED + 5})


def test_the_commands_print_heads_and_name_what_is_broken(
    database_url: str, connection: Connection, tmp_path: Path
) -> None:
    numbers = [enter(connection, ANNA, "read", people=[uuid4()]) for _ in range(3)]
    in_transaction(connection, seal)
    told = CliRunner().invoke(app, ["audit", "heads", "--database-url", database_url])
    assert told.exit_code == 0, told.output
    kept = tmp_path / "heads"
    kept.write_text(told.output)
    asked = ["audit", "verify", "--heads", str(kept), "--database-url", database_url]
    assert "3 links hold" in CliRunner().invoke(app, asked).output
    ada, folder = add_profile(connection), PrivacyFolder(tmp_path / "privacy")
    erase_in_audit(connection, ada, subject_hash(folder.key, "profile", ada.bytes))
    in_transaction(connection, lambda lent: suppress(lent, folder, []))
    in_transaction(connection, seal)
    assert "6 links hold" in CliRunner().invoke(app, asked).output
    told = CliRunner().invoke(app, [*asked, "--privacy", str(folder.folder)])
    assert (told.exit_code, "outside of the database." in told.output) == (1, True), "that list knows of no erasure"
    connection.execute("set session_replication_role = replica")
    connection.execute("update audit_entry set actor = 'Bert' where entry_no = %s", [numbers[1]])
    broken = CliRunner().invoke(app, asked)
    assert broken.exit_code == 1
    assert f"Entry {numbers[1]} is not as it was sealed." in broken.output
