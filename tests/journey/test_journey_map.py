"""Segments and the journey map: what they count, and that they speak of nobody in particular."""

from itertools import chain, pairwise
from random import Random

import pytest

from core.errors import InputError
from core.journey.map import bought_change, changes, journey_map
from core.journey.records import Event, Journey, Stay, StoreVisit
from core.journey.rules import Stage
from core.journey.segments import Facts, Felt, SegmentRule, fits, read_rule, told_count
from core.journey.stages import journey
from core.journey.ways import told_ways
from core.limits import NS_PER_S

DAY = 86_400 * NS_PER_S
MINUTE = 60 * NS_PER_S


def one(name: str, *, looked: bool, engaged: bool, bought: bool) -> Journey:
    begin = 100 * DAY
    events = [Event(id=f"{name}o", kind="ordered", at=begin + 9 * MINUTE, store="s")] if bought else []
    events += [Event(id=f"{name}l", kind="searched", at=begin - 2 * DAY)] if looked else []
    stay = Stay(
        id=f"{name}z", zone="a", zone_kind="department", entered_at=begin + MINUTE,
        left_at=begin + MINUTE + (60 if engaged else 5) * NS_PER_S,
    )  # fmt: skip
    visit = StoreVisit(id=name, store="s", entered_at=begin, left_at=begin + 10 * MINUTE, closed_by="silence")
    return journey(visit, [stay], events, as_of=begin + 30 * DAY)


def who(name: str, *, looked: bool = False, engaged: bool = True, bought: bool = False, feeling: str = "") -> Facts:
    felt = (Felt(at=100 * DAY + 2 * MINUTE, feeling=feeling),) if feeling else ()
    found = one(name, looked=looked, engaged=engaged, bought=bought)
    return Facts(dwells_s=(600.0,), orders=int(bought), felt=felt, journeys=(found,))


def test_a_map_says_shares_lengths_paths_and_feelings() -> None:
    people = [who(f"a{n}", looked=True, bought=True, feeling="positive") for n in range(30)]
    people += [who(f"b{n}", feeling="negative" if n < 10 else "") for n in range(30)]
    drawn = journey_map(people)
    stages = {figures.stage: figures for figures in drawn.stages}
    assert [drawn.customers, drawn.journeys] == [60, 60]
    assert stages[Stage.DISCOVER].share == 0.5
    assert stages[Stage.DISCOVER].onward_s == 2 * 86_400
    assert stages[Stage.ARRIVE].share == 1.0
    assert stages[Stage.COMPLETE].drop_off == 1.0, "nobody reflects"
    assert stages[Stage.ARRIVE].drop_off == 0.0
    felt = stages[Stage.ENGAGE].feelings
    assert felt is not None
    assert [felt["positive"], felt["negative"]] == [0.75, 0.25]
    assert drawn.completions is not None
    assert {how: share for how, share in drawn.completions.items() if share} == {
        "bought": 0.5, "left_empty_handed": 0.5,
    }  # fmt: skip
    left = [who(f"b{n}") for n in range(30)]
    effect = bought_change(left + people[:10], people[:10] + left[:20])
    assert effect is not None
    assert (effect.tried, effect.kept) == (10 / 30, 10 / 40)
    assert bought_change(left + people[:9], people[:10] + left[:20]) is None, "nine bought"
    assert sorted(path.share for path in drawn.ways.paths) == [0.5, 0.5]
    assert {(link.begin, link.end): link.share for link in drawn.ways.links}[(Stage.ENGAGE, Stage.COMPLETE)] == 1.0


def test_what_would_speak_of_few_is_hidden_also_as_what_is_missing() -> None:
    people = [who(f"a{n}", looked=n < 9) for n in range(60)]
    drawn = journey_map(people)
    stages = {figures.stage: figures for figures in drawn.stages}
    assert stages[Stage.DISCOVER].share is None
    assert journey_map([who(f"a{n}", bought=n < 9) for n in range(60)]).completions is None
    assert journey_map([who(f"a{n}", looked=n >= 9) for n in range(60)]).stages[0].share is None
    assert journey_map([who(f"a{n}", looked=n < 10) for n in range(60)]).stages[0].share == 10 / 60
    assert drawn.ways.paths == (), "nine went another way: the path of the rest would tell of them"
    ten = journey_map([who(f"a{n}", looked=n < 10) for n in range(60)])
    assert sorted(path.share for path in ten.ways.paths) == [10 / 60, 50 / 60]
    assert stages[Stage.ENGAGE].feelings is None
    few = journey_map([who(f"a{n}") for n in range(9)])
    assert {figures.share for figures in few.stages} == {None}
    assert [few.ways.paths, few.ways.links] == [(), ()]
    many = tuple(one(f"j{n}", looked=True, engaged=True, bought=True) for n in range(50))
    often = Facts(dwells_s=(1.0,) * 50, orders=0, felt=(), journeys=many)
    assert journey_map([often]).ways.links == (), "fifty journeys of one customer are one customer"
    assert [told_count(n) for n in (0, 1, 9, 10, 12, 13, 1_002)] == [0, None, None, 10, 10, 15, 1_000]


def test_one_journey_of_a_customer_who_has_several_is_hidden_as_what_is_missing() -> None:
    twice = [
        (
            one(f"a{n}", looked=False, engaged=n > 0, bought=False),
            one(f"b{n}", looked=False, engaged=True, bought=False),
        )
        for n in range(30)
    ]
    drawn = journey_map([Facts(dwells_s=(600.0,) * 2, orders=0, felt=(), journeys=both) for both in twice])
    assert drawn.stages[3].share is None, "59 of 60 journeys speak of the one customer"
    assert drawn.stages[2].share == 1.0


def test_what_is_counted_goes_by_time_and_not_by_what_was_reached() -> None:
    visit = StoreVisit(id="v", store="s", entered_at=100 * DAY, left_at=100 * DAY + MINUTE, closed_by="silence")
    said = [Event(id="r", kind="reviewed", at=101 * DAY)]

    def people(days: int, reflected: int, count: int = 30) -> list[Facts]:
        told = [journey(visit, [], said if n < reflected else [], as_of=(100 + days) * DAY) for n in range(count)]
        return [Facts(dwells_s=(60.0,), orders=0, felt=(), journeys=(found,)) for found in told]

    over, newest = people(20, 10), people(3, 15)
    complete, reflect = journey_map(over + newest).stages[4:]
    assert (reflect.share, complete.drop_off) == (10 / 30, 20 / 30)
    alone = journey_map(newest).stages
    assert (alone[5].share, alone[4].drop_off, alone[4].share) == (None, None, 1.0), "their 14 days are not over"


def test_no_link_is_told_whose_rest_of_a_stage_is_few() -> None:
    order = journey(None, [], [Event(id="w", kind="ordered", at=100 * DAY)], as_of=130 * DAY)
    people = [who(f"a{n}") for n in range(100)] + [who(f"b{n}", engaged=False) for n in range(5)]
    people += [Facts(dwells_s=(), orders=1, felt=(), journeys=(order,))] * 50
    drawn = journey_map(people)
    assert drawn.stages[4].share == 1.0
    assert drawn.ways.links == (), "of all who completed and did not order online, the other five did not engage"
    people += [who(f"c{n}", engaged=False) for n in range(5)]
    steps = {(link.begin, link.end) for link in journey_map(people).ways.links}
    assert steps == {
        (Stage.ARRIVE, Stage.ENGAGE), (Stage.ENGAGE, Stage.COMPLETE), (Stage.ARRIVE, Stage.COMPLETE),
    }  # fmt: skip


def test_nothing_is_told_that_leaves_few_when_it_is_subtracted() -> None:
    noted = [who(f"n{n}", feeling="negative" if n == 0 else "positive") for n in range(30)]
    assert {figures.feelings is None for figures in journey_map(noted).stages} == {True}, "one customer was unhappy"
    mixed = noted + [who(f"m{n}", feeling="mixed") for n in range(12)]
    felt = next(figures.feelings for figures in journey_map(mixed).stages if figures.stage is Stage.ENGAGE)
    assert felt is not None
    assert felt.keys() == {"positive"}, "negative and mixed are thirteen together"
    people = [who(f"a{n}", looked=True) for n in range(40)] + [who(f"b{n}") for n in range(45)]
    people += [who(f"c{n}", looked=True, engaged=False) for n in range(5)]
    people += [who(f"d{n}", engaged=False) for n in range(10)]
    drawn = journey_map(people)
    assert drawn.stages[0].share == 0.45
    assert [path.share for path in drawn.ways.paths] == [0.45], "the path of forty would leave five who looked"
    assert Stage.DISCOVER not in drawn.ways.paths[0].stages


def test_an_odd_way_of_one_customer_hides_the_least_common_and_says_so() -> None:
    plan, look, come, stay, done, tell = Stage.PLAN_ENROLL, *(one for one in Stage if one is not Stage.PLAN_ENROLL)
    counts = {
        (plan, come, stay, done): 500, (plan, look, come, stay, done): 260, (plan, come, stay, done, tell): 40,
        (plan, come, done): 30, (look, plan, come, stay, done): 1,
    }  # fmt: skip
    ways = [way for way, count in counts.items() for _ in range(count)]
    found = told_ways(list(enumerate(ways)), reached={look, come, tell}, stopped={done})
    assert [round(path.share * 831) for path in found.paths] == [500, 40], "not that of 260, nor of 30"
    assert (round(found.other_paths * 831), found.withheld) == (291, True)
    told = {(link.begin, link.end) for link in found.links}
    assert (look, come) not in told, "one went from there to the till"
    assert {one.begin: one.share and round(one.share * 831) for one in found.onward}[look] == 261
    alone = told_ways(list(enumerate(ways[:-1])), reached={look, come, tell}, stopped={done})
    assert ([round(path.share * 830) for path in alone.paths], alone.withheld) == ([500, 260, 40, 30], False)
    assert alone.onward == ()
    silent = told_ways(list(enumerate(ways[:500] + ways[-1:])), reached=set(), stopped=set())
    assert (silent.paths, silent.withheld) == ((), True)
    most = told_ways(list(enumerate([*ways[:19], (plan, come, done)])), reached=set(), stopped=set())
    assert {one.begin: one.share for one in most.onward} == {come: 1.0, stay: None}, "nineteen of twenty stayed"


def test_nothing_told_of_random_ways_leaves_few_when_paths_are_subtracted() -> None:
    random = Random(7)
    shown = 0
    for _ in range(150):
        kinds = [tuple(random.sample(list(Stage), random.randrange(1, 6))) for _ in range(random.randrange(2, 9))]
        ways = [way for way in kinds for _ in range(random.choice((1, 3, 9, 10, 12, 40, 200)))]
        reached = set(random.sample(list(Stage), 3))
        found = told_ways(list(enumerate(ways)), reached=reached, stopped=reached)
        paths = {path.stages for path in found.paths}
        links = {(link.begin, link.end) for link in found.links}
        steps = {way: set(pairwise(way)) for way in ways}
        wholes = [ways]
        for stage in reached:
            wholes += [[way for way in ways if (stage in way) is there] for there in (True, False)]
            wholes.append([way for way in ways if way[-1] is stage])
        wholes += [[way for way in ways if link in steps[way]] for link in links]
        for one in found.onward:
            if one.share is not None:
                hidden = {step for step in {*chain(*steps.values())} - links if step[0] is one.begin}
                wholes.append([way for way in ways if steps[way] & hidden])
        for whole in wholes:
            left = sum(way not in paths for way in whole)
            assert not (0 < left < 10 and paths & set(whole)), (paths, left)
        shown += len(paths)
    assert shown > 150, "and most of what is common is told"


def test_a_change_has_an_interval() -> None:
    before = [who(f"b{n}", looked=n % 4 == 0) for n in range(80)]
    after = [who(f"a{n}", looked=n % 4 != 0) for n in range(80)]
    changed = {one.stage: one.effect for one in changes(before, after)}
    effect = changed[Stage.DISCOVER]
    assert effect is not None
    assert effect.low < effect.change == 0.5 < effect.high
    assert effect.low > 0.3
    assert (effect.tried_count, effect.kept_count) == (80, 80)
    assert changes(before[:5], after)[0].effect is None
    for looked in (1, 9, 71, 79):
        few = [who(f"f{n}", looked=n < looked) for n in range(80)]
        assert changes(few, after)[0].effect is None, "what the map hides no comparison tells"
        assert changes(after, few)[0].effect is None
    odd = changes([who(f"o{n}", looked=n < 20) for n in range(43)], after)[0].effect
    assert odd is not None
    assert (odd.tried_count, odd.kept_count) == (80, 45), "counts are told to the nearest five"


def test_rules_of_segments() -> None:
    facts = who("a", looked=True, bought=True, feeling="mixed")
    nobody = Facts(dwells_s=(), orders=0, felt=(), journeys=())
    for text, mine, others in (
        ("{}", True, True), ('{"visits_at_least": 1}', True, False), ('{"visits_at_most": 0}', False, True),
        ('{"dwell_at_most_s": 600}', True, False), ('{"dwell_at_least_s": 601}', False, False),
        ('{"orders_at_least": 1, "reached": "discover"}', True, False), ('{"skipped": "discover"}', False, False),
        ('{"skipped": "reflect"}', True, False), ('{"feeling": "mixed"}', True, False),
    ):  # fmt: skip
        rule = read_rule(text.encode())
        assert [fits(rule, facts), fits(rule, nobody)] == [mine, others], text
    assert SegmentRule().days == 90
    for text, where in (
        ('{"visits_at_least": 5, "visits_at_most": 2}', "rule.visits"), ('{"dwell_at_most_s": -1}', "rule.dwell"),
        ('{"days": 0}', "rule.days"), ('{"visits_at_least": 36526}', "rule.visits"),
        ('{"dwell_at_least_s": 86401}', "rule.dwell"), ('{"orders_at_most": 1' + "0" * 30 + "}", "rule.orders"),
    ):  # fmt: skip
        with pytest.raises(InputError) as refused:
            read_rule(text.encode())
        assert refused.value.where == where
