"""Profiles: the join fails closed, and the journey cites what it rests on."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from core.errors import InputError
from core.records import Role
from storage.profiles.profiles import create_profile, withdraw_consent
from tests.api.seeding import add_presence, device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

AMARA = UUID(int=0xA0000000000040008000000000000001)


def paths(profile: UUID) -> list[str]:
    return [f"/v1/profiles/{profile}{what}" for what in ("", "/visits", "/journey")]


def stages(journey: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["stage"]: stage for stage in journey["stages"]}


def test_a_profile_with_its_visit_in_progress(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    found = client.get(f"/v1/profiles/{AMARA}").json()
    assert (found["display_name"], found["loyalty_tier"]) == ("Amara Okafor", "Gold")
    assert found["consent"]["purpose"] == "in_store_journey"
    here = found["visit_in_progress"]
    assert (here["store"], here["zone"], here["timezone"]) == ("marktplatz", "shoes", "Europe/Berlin")
    assert here["dwell_in_store_s"] == 22 * 60
    assert here["dwell_in_zone_s"] == pytest.approx(22 * 60 - (24 + 96 + 402 + 385 + 66 + 31))


def test_the_page_says_in_words_that_somebody_came_as_staff(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    newest = client.get(f"/v1/profiles/{AMARA}/visits").json()["visits"][0]["visit"]["visit_id"]
    shown = (f"/profiles/{AMARA}", f"/profiles/{AMARA}?visit={newest}")
    assert not any("staff" in client.get(path).text.lower() for path in shown)
    store.connection.execute("update store_visit set role = %s where visit_id = %s", [Role.STAFF, newest])
    listed, one = (client.get(path).text for path in shown)
    assert "Marktplatz · staff</td>" in listed
    assert "<dt>Came as</dt><dd>Staff</dd>" in one


def test_the_journey_of_a_visit_in_progress(client: httpx.Client, customers: dict[str, UUID]) -> None:
    found = client.get(f"/v1/profiles/{AMARA}/journey").json()
    assert (found["store"], found["in_progress"]) == ("marktplatz", True)
    by_stage = stages(found)
    assert {name: stage["state"] for name, stage in by_stage.items()} == {
        "discover": "skipped",
        "plan_enroll": "reached",
        "arrive": "reached",
        "engage": "reached",
        "complete": "not_yet",
        "reflect": "not_yet",
    }
    assert [evidence["zone"] for evidence in by_stage["engage"]["evidence"]] == [
        "new", "women", "fitting", "women", "new", "shoes",
    ]  # fmt: skip
    assert by_stage["engage"]["rule"]["id"] == "engage.zone_dwell_or_contact"
    assert by_stage["arrive"]["evidence"][0]["id"] == found["visit_id"]
    kinds = {evidence["kind"] for evidence in by_stage["plan_enroll"]["evidence"]}
    assert kinds == {"consent_granted"}, "a tier tells of no enrolment that somebody reported"


def test_the_journey_of_an_earlier_visit_and_its_evidence_exists(
    client: httpx.Client, customers: dict[str, UUID]
) -> None:
    visits = client.get(f"/v1/profiles/{AMARA}/visits").json()["visits"]
    assert len(visits) == 2
    name = visits[1]["visit"]["visit_id"]
    found = client.get(f"/v1/profiles/{AMARA}/journey", params={"visit": name}).json()
    assert found["visit_id"] == name
    assert found["in_progress"] is False
    assert stages(found)["complete"]["state"] == "reached"
    assert stages(found)["reflect"]["state"] == "skipped", "the next visit cut its time short"
    known = {visit["visit_id"] for visit in client.get("/v1/stores/marktplatz/visits?limit=500").json()["visits"]}
    assert {evidence["id"] for evidence in stages(found)["engage"]["evidence"]} <= known


def test_the_visit_in_progress_keeps_its_id_when_it_is_decided(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    running = client.get(f"/v1/profiles/{AMARA}/journey").json()["visit_id"]
    begin = store.now - timedelta(minutes=22)
    store.connection.execute("delete from presence")
    store.connection.execute("delete from zone_visit where entered_at >= %s", [begin])
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=begin,
        stays=[("entrance", 24), ("shoes", 300)],
    )  # fmt: skip
    assert client.get(f"/v1/profiles/{AMARA}/journey").json()["visit_id"] == running


def test_a_profile_that_never_came_has_a_journey_too(client: httpx.Client, customers: dict[str, UUID]) -> None:
    found = client.get(f"/v1/profiles/{customers['Mei-Ling Chen']}/journey").json()
    assert found["visit_id"] is None
    assert stages(found)["plan_enroll"]["state"] == "reached"
    assert stages(found)["arrive"]["state"] == "not_yet"


def test_unknown_unconsented_withdrawn_and_expired_are_the_same_404(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    connection = store.connection
    never, withdrawn, expired, future = uuid4(), customers["Jonas Lindqvist"], uuid4(), uuid4()
    connection.execute("insert into profile (profile_id, display_name) values (%s, 'Never asked')", [never])
    withdraw_consent(connection, withdrawn, source="till", wording="2026-03", at=store.now)
    for name, granted, expires in (
        (expired, timedelta(days=-9), timedelta(seconds=-1)), (future, timedelta(hours=1), None),
    ):  # fmt: skip
        connection.execute("insert into profile (profile_id, display_name) values (%s, 'Someone')", [name])
        connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at, expires_at)"
            " values (%s, 'in_store_journey', 'granted', 'app', '1', %s, %s)",
            [name, store.now + granted, store.now + expires if expires is not None else None],
        )
    elsewhere = uuid4()
    connection.execute("insert into profile (profile_id, display_name) values (%s, 'Newsletter only')", [elsewhere])
    connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, 'newsletter', 'granted', 'web', '1', %s)",
        [elsewhere, store.now - timedelta(days=1)],
    )
    answers = set()
    for profile in (uuid4(), never, withdrawn, expired, future, elsewhere):
        for path in paths(profile):
            answer = client.get(path)
            assert answer.status_code == 404
            problem = answer.json()
            del problem["instance"]
            answers.add(str(problem))
        assert client.get(f"/profiles/{profile}").status_code == 404
    assert len(answers) == 1
    listed = client.get("/v1/profiles").text
    for shown in ("Never asked", "Jonas", "Someone", "Newsletter"):
        assert shown not in listed


def test_a_consent_that_was_given_again_holds_again(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    withdraw_consent(store.connection, AMARA, source="app", wording="2026-03", at=store.now - timedelta(hours=2))
    assert client.get(f"/v1/profiles/{AMARA}").status_code == 404
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, 'in_store_journey', 'granted', 'app', '2026-11', %s)",
        [AMARA, store.now - timedelta(hours=1)],
    )
    assert client.get(f"/v1/profiles/{AMARA}").json()["consent"]["wording"] == "2026-11"
    evidence = stages(client.get(f"/v1/profiles/{AMARA}/journey").json())["plan_enroll"]["evidence"]
    consents = [row for row in evidence if row["kind"] == "consent_granted"]
    assert len(consents) == 1, "the one before the withdrawal is no evidence any more"


def test_visits_outside_a_link_are_not_shown(store: SeededStore, client: httpx.Client) -> None:
    since = store.now - timedelta(days=2)
    profile = create_profile(store.connection, display_name="Ines", devices=[device(77)], granted_at=since)
    before = store.now - timedelta(days=3)
    walk(store.connection, store.plan, store.store_no, pseudonym=device(77), arrived_at=before, stays=[("shoes", 90)])
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(77),
        arrived_at=store.now - timedelta(hours=5), stays=[("women", 90)],
    )  # fmt: skip
    assert len(client.get(f"/v1/profiles/{profile}/visits").json()["visits"]) == 1
    store.connection.execute("update device_link set valid_to = %s", [store.now - timedelta(hours=6)])
    assert client.get(f"/v1/profiles/{profile}/visits").json()["visits"] == []
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(77), zone="shoes",
        arrived_at=store.now, in_zone_since=store.now, last_signal_at=store.now,
    )  # fmt: skip
    assert client.get(f"/v1/profiles/{profile}").json()["visit_in_progress"] is None


def test_the_visit_of_somebody_else_is_unknown(client: httpx.Client, customers: dict[str, UUID]) -> None:
    theirs = client.get(f"/v1/profiles/{customers['Jonas Lindqvist']}/visits").json()["visits"][0]["visit"][
        "visit_id"
    ]
    for path in (f"/v1/profiles/{AMARA}/journey", f"/profiles/{AMARA}"):
        assert client.get(path, params={"visit": theirs}).status_code == 404


def test_profiles_are_searched_and_paged_by_name(client: httpx.Client, customers: dict[str, UUID]) -> None:
    names, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor is not None else {})
        page = client.get("/v1/profiles", params=params).json()
        names += [line["display_name"] for line in page["profiles"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == sorted(customers, key=str.lower)
    found = client.get("/v1/profiles", params={"q": "HERRERA"}).json()["profiles"]
    assert [line["display_name"] for line in found] == ["Tomás Herrera"]
    assert client.get("/v1/profiles", params={"q": "%"}).json()["profiles"] == []
    here = client.get("/v1/profiles", params={"q": "amara"}).json()["profiles"][0]
    assert (here["in_store_now"], here["in_zone_now"]) == ("Marktplatz", "Shoe wall")
    for asked in (" okafor", "okafor ", "Okafor Amara", "amara  okafor", "oka ama"):
        found = client.get("/v1/profiles", params={"q": asked}).json()["profiles"]
        assert [line["display_name"] for line in found] == ["Amara Okafor"], asked
    assert client.get("/v1/profiles", params={"q": "Amara Herrera"}).json()["profiles"] == []
    for bad in ({"q": "x" * 101}, {"q": "\x00"}, {"limit": "0"}, {"cursor": "?"}):
        assert client.get("/v1/profiles", params=bad).status_code == 422


def test_names_that_begin_so_come_first_and_few_letters_first_begin_a_word(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    for number, name in enumerate(("Chen Wu", "Abe Cheney"), 20):
        create_profile(store.connection, display_name=name, devices=[device(number)], granted_at=store.now)

    def found(words: str, limit: int) -> list[str]:
        names: list[str] = []
        cursor: str | None = None
        while True:
            params: dict[str, str | int] = {"q": words, "limit": limit}
            if cursor is not None:
                params["cursor"] = cursor
            page = client.get("/v1/profiles", params=params).json()
            names += [line["display_name"] for line in page["profiles"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return names

    for limit in (1, 2, 50):
        assert found("chen", limit) == ["Chen Wu", "Abe Cheney", "Mei-Ling Chen"], limit
        assert found("ch", limit) == ["Chen Wu", "Abe Cheney", "Mei-Ling Chen", "Sofia Marchetti"], limit
        assert found("che", limit) == ["Chen Wu", "Abe Cheney", "Mei-Ling Chen", "Sofia Marchetti"], limit
    for kind, value in (("customer_id", "K-77 b"), ("email", "chen@wu.at"), ("phone", "+4930123456")):
        store.connection.execute(
            "insert into profile_identifier (profile_id, kind, value, source)"
            " select profile_id, %s, %s, 'crm' from profile where display_name = 'Chen Wu'",
            [kind, value],
        )
    for words in ("K-77 b", "Chen@Wu.at", "+49 30 123456"):
        assert found(words, 2) == ["Chen Wu"], words
    assert found("K-77", 2) == [], "nobody is found by a part of a number"
    withdraw_consent(store.connection, customers["Mei-Ling Chen"], source="app", wording="1", at=store.now)
    for limit in (1, 2, 50):
        assert found("chen", limit) == ["Chen Wu", "Abe Cheney"], limit


def test_a_malformed_id_is_a_problem(client: httpx.Client, customers: dict[str, UUID]) -> None:
    assert client.get("/v1/profiles/amara").status_code == 422
    assert client.get(f"/v1/profiles/{AMARA}/journey", params={"visit": "x"}).status_code == 422


def test_profile_visits_come_page_by_page(store: SeededStore, client: httpx.Client) -> None:
    profile = create_profile(
        store.connection,
        display_name="Ben",
        devices=[device(8), device(9)],
        granted_at=store.now - timedelta(days=90),
    )
    for number in range(11):
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(8 + number % 2),
            arrived_at=store.now - timedelta(days=3 * number, hours=1), stays=[("shoes", 60.0 + number)],
        )  # fmt: skip
    dwells, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 4} | ({"cursor": cursor} if cursor is not None else {})
        page = client.get(f"/v1/profiles/{profile}/visits", params=params).json()
        dwells += [row["visit"]["dwell_s"] for row in page["visits"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert dwells == [60.0 + number for number in range(11)]


def test_creating_a_profile_again_adds_only_what_is_new(store: SeededStore) -> None:
    name = uuid4()
    for devices in ([device(1)], [device(1), device(2)]):
        create_profile(store.connection, display_name="Ada", devices=devices, granted_at=store.now, profile_id=name)
    counts = store.connection.execute(
        "select (select count(*) from profile), (select count(*) from consent_event),"
        " (select count(*) from device_link)"
    ).fetchone()
    assert counts == (1, 1, 2)
    with pytest.raises(InputError, match="another profile"):
        create_profile(store.connection, display_name="Eve", devices=[device(1)], granted_at=store.now)
    with pytest.raises(InputError, match="16 bytes"):
        create_profile(store.connection, display_name="Eve", devices=[b"short"], granted_at=store.now)
    with pytest.raises(InputError, match="display name"):
        create_profile(store.connection, display_name=" ", devices=[], granted_at=store.now)
    assert store.connection.execute("select count(*) from profile").fetchone() == (1,)


def test_what_like_takes_for_a_pattern_is_searched_for_as_it_is(store: SeededStore, client: httpx.Client) -> None:
    for name in ("100% Wool", "100 Wool", "a_b", "axb", "c\\\\d"):
        create_profile(store.connection, display_name=name, devices=[], granted_at=store.now - timedelta(days=1))
    for search, found in (
        ("0%", ["100% Wool"]),
        ("A_B", ["a_b"]),
        ("\\\\", ["c\\\\d"]),
        ("wool", ["100 Wool", "100% Wool"]),
    ):
        listed = client.get("/v1/profiles", params={"q": search}).json()["profiles"]
        assert [row["display_name"] for row in listed] == found
