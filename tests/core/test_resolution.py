"""Identifiers that came together point to at most one profile, in any order, and never beyond a limit."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.resolution import KINDS, Identifier, identifier, resolve, spellings
from tests.privacy.searching import wide

ADA = identifier("customer_id", "4711")
MAIL = identifier("email", "Ada@Shop.test")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "0",
        "0000-0000",
        "-1",
        "null",
        "NULL",
        "undefined",
        "Anonymous",
        "guest",
        "[object Object]",
        "a\x00b",
        "TEST1",
    ],
)
def test_values_that_identify_nobody_are_refused(value: str) -> None:
    with pytest.raises(InputError):
        identifier("customer_id", value)


def test_values_are_compared_in_one_form() -> None:
    assert identifier("email", " Ada@Shop.test ") == Identifier("email", "ada@shop.test")
    assert identifier("phone", "+49 (30) 123-45.67") == Identifier("phone", "+49301234567")
    for written in ("0049 171 1234567", "+49 (0)171/123 45 67"):
        assert identifier("phone", written) == Identifier("phone", "+491711234567")
    for counted in ("123456", "222222", "1111111111"):
        assert identifier("customer_id", counted) == identifier("customer_id", counted, held=True), "a system counts"
    assert identifier("app_user", "123456", held=True).value == "123456", "taken in before it was blocked"
    assert identifier("phone", "0171 1234567").value == "01711234567", "which country is meant is not said"
    assert [one.value for one in spellings(identifier("phone", "+49 171 1234567"))] == [
        "+491711234567", "00491711234567",
    ]  # fmt: skip
    for value in ("4711", "12345", "112233", "ada@shop.test"):
        assert spellings(identifier("customer_id", value)) == (Identifier("customer_id", value),)
    assert [one.value for one in spellings(identifier("customer_id", wide("KD-77312")))] == [
        wide("KD-77312"), "KD-77312",
    ]  # fmt: skip
    assert [one.value for one in spellings(identifier("email", wide("A") + "da@Shop.test"))] == [
        wide("a") + "da@shop.test",
        "ada@shop.test",
    ]
    for kind, value in (
        ("email", "ada"), ("email", "x@example.com"), ("email", "no-reply@shop.test"), ("email", "a@test.com"),
        ("phone", "call me"), ("phone", "+1111111111"), ("app_user", "123456"), ("shoe_size", "39"),
    ):  # fmt: skip
        with pytest.raises(InputError):
            identifier(kind, value)


def test_somebody_new_somebody_known_and_an_identifier_that_is_added() -> None:
    assert resolve([ADA, MAIL], {}, {}).profile is None
    found = resolve([MAIL, ADA], {ADA: "ada"}, {"ada": {"customer_id": 1}})
    assert (found.profile, found.add, found.rivals) == ("ada", (MAIL,), ())


def test_two_profiles_are_never_one_by_themselves() -> None:
    found = resolve([ADA, MAIL], {ADA: "ada", MAIL: "eve"}, {"ada": {"customer_id": 1}, "eve": {"email": 1}})
    assert (found.profile, found.add, found.rivals) == ("ada", (), ("ada", "eve"))
    assert [one.because for one in found.dropped] == ["other_profile"]


def test_who_has_no_consent_is_rival_to_nobody_but_still_meant_by_her_own_number() -> None:
    held = {"ada": {"customer_id": 1}, "eve": {"email": 1, "customer_id": 1}}
    found = resolve([ADA, MAIL], {ADA: "ada", MAIL: "eve"}, held, {"eve"})
    assert (found.profile, found.add, found.dropped, found.rivals) == ("ada", (MAIL,), (), ())
    found = resolve([ADA, MAIL], {ADA: "ada", MAIL: "eve"}, held, {"ada"})
    assert (found.profile, found.rivals) == ("ada", ("ada", "eve"))
    found = resolve([identifier("customer_id", "4712"), MAIL], {MAIL: "eve"}, held, {"eve"})
    assert (found.profile, found.dropped) == (None, ()), "somebody new gets what nobody holds with a consent"


def test_another_customer_id_beats_a_shared_mailbox() -> None:
    found = resolve([identifier("customer_id", "4712"), MAIL], {MAIL: "ada"}, {"ada": {"customer_id": 1, "email": 1}})
    assert found.profile is None, "a second customer number is another person"
    assert [(one.identifier, one.because) for one in found.dropped] == [(MAIL, "limit")]
    assert found.add == (identifier("customer_id", "4712"),)


def test_the_last_that_fits_and_the_first_that_does_not() -> None:
    mails = [identifier("email", f"{number}@shop.test") for number in range(3)]
    found = resolve([ADA, *mails], {ADA: "ada"}, {"ada": {"customer_id": 1, "email": 3}})
    assert found.add == tuple(mails[:2])
    assert [one.identifier for one in found.dropped] == mails[2:]


SOME = st.builds(Identifier, st.sampled_from(list(KINDS)), st.sampled_from("abcd"))


@given(st.lists(SOME, max_size=8), st.dictionaries(SOME, st.sampled_from(["p", "q", "r"])))
def test_order_and_repetition_do_not_matter_and_limits_hold(
    presented: list[Identifier], holders: dict[Identifier, str]
) -> None:
    held = {name: dict(Counter(one.kind for one, by in holders.items() if by == name)) for name in "pqr"}
    found = resolve(presented, holders, held)
    assert resolve([*reversed(presented), *presented], holders, held) == found
    assert not set(found.add) & set(holders), "what somebody holds is never taken from them"
    count = Counter(one.kind for one in found.add) + Counter(held.get(found.profile or "", {}))
    assert all(
        number <= max(KINDS[kind].most, held.get(found.profile or "", {}).get(kind, 0))
        for kind, number in count.items()
    )
    said = {*found.add, *(one.identifier for one in found.dropped)}
    assert all(one in said or holders.get(one) == found.profile for one in presented), "each is accounted for"
