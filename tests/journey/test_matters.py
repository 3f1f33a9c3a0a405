"""What matters to a customer: signs with evidence, and nothing without."""

from core.journey.habits import DAY_NS
from core.journey.matters import Came, Did, Matter, Mattering, what_matters

NOW = 1_000 * DAY_NS


def did(kind: str, days_ago: float, words: str = "", *, count: int = 1) -> list[Did]:
    at = NOW - int(days_ago * DAY_NS)
    return [Did(id=f"{kind}{days_ago}{number}", kind=kind, at=at + number, words=words) for number in range(count)]


def found(
    things: list[Did],
    came: list[Came] | None = None,
    *,
    browses: float | None = None,
    store: list[float] | None = None,
) -> dict[Matter, Mattering]:
    said = what_matters(things, came or [], browses=browses, store_dwells_s=store or [], as_of=NOW)
    assert said == what_matters(
        things[::-1], (came or [])[::-1], browses=browses, store_dwells_s=store or [], as_of=NOW
    ), "order does not matter"
    return {one.matter: one for one in said}


def test_nothing_is_said_without_a_sign() -> None:
    assert found([]) == {}
    assert found(did("ordered", 3, count=9) + did("product_viewed", 2, "boot", count=9)) == {}
    assert found(did("promotion_viewed", 400, count=9) + did("wished", 366, count=9)) == {}, "long ago"


def test_one_rule_is_a_sign_and_two_are_clear_with_their_evidence() -> None:
    seen = did("promotion_viewed", 9, count=3)
    one = found(seen)[Matter.PRICE]
    assert [one.clear, [sign.rule for sign in one.signs]] == [False, ["price.promotions"]]
    assert one.signs[0].count == 3
    assert one.signs[0].evidence == tuple(("promotion_viewed", thing.id) for thing in reversed(seen))
    two = found(seen + did("ordered", 2, count=2))[Matter.PRICE]
    assert [two.clear, [sign.rule for sign in two.signs]] == [
        True,
        ["price.promotions", "price.orders_after_promotions"],
    ]
    assert Matter.PRICE not in found(did("promotion_viewed", 30, count=3) + did("searched", 3, "boot", count=7))
    assert len(found(did("wished", 9, count=9))[Matter.SELECTION].signs[0].evidence) == 5


def test_her_own_word_is_clear_and_the_newest_counts() -> None:
    said = did("service_preferred", 9, "greet")
    assert found(said)[Matter.RECOGNITION].clear
    assert list(found(said + did("service_preferred", 1, "leave_alone"))) == [Matter.SPEED]


def test_visits_say_speed_or_selection() -> None:
    came = [Came(id=str(n), at=NOW - n * DAY_NS, dwell_s=100.0) for n in range(6)]
    store = [60.0 * n for n in range(1, 41)]
    assert [sign.rule for sign in found([], came, browses=0.02, store=store)[Matter.SPEED].signs] == [
        "speed.short_visits", "speed.quicker_than_most",
    ]  # fmt: skip
    assert found([], came, browses=0.95)[Matter.SELECTION].signs[0].evidence[0] == ("store_visit", "0")
    assert found([], came[:4], store=store) == {}, "four visits say nothing"


def test_an_order_follows_a_promotion_within_the_two_weeks_that_one_usually_runs() -> None:
    """Later the price it promised is gone, so an order then says nothing of it."""
    for days, follows in ((14, True), (15, False), (27, False)):
        things = did("promotion_viewed", 40) + did("ordered", 40 - days, count=1) + did("ordered", 40 - days + 0.5)
        said = found(things).get(Matter.PRICE)
        assert ([sign.rule for sign in said.signs] if said is not None else []) == (
            ["price.orders_after_promotions"] if follows else []
        ), days
