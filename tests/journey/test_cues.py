"""The first rule that fits decides, what the customer prefers stands above it, and quiet is the default."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.journey.cues import DEFAULT_POLICY, Cue, CuePolicy, CueRule, Situation, cue, read_policy

GREETING = CuePolicy(rules=(CueRule(cue=Cue.GREET, says="Everybody is greeted."),))


def test_without_a_rule_that_fits_she_is_left_alone() -> None:
    found = cue(CuePolicy(rules=()), Situation(visits=40, tier="Gold"))
    assert (found.cue, found.rule) == (Cue.LEAVE_ALONE, None)
    assert found.because


def test_what_she_prefers_stands_above_the_policy() -> None:
    assert cue(GREETING, Situation()).cue is Cue.GREET
    found = cue(GREETING, Situation(preference="leave_alone"))
    assert (found.cue, found.rule) == (Cue.LEAVE_ALONE, None)
    assert cue(GREETING, Situation(preference="a song")).cue is Cue.GREET


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Situation(appointment_today=True), Cue.GREET),
        (Situation(appointment_today=True, complained_days=30.0), Cue.LEAVE_ALONE),
        (Situation(appointment_today=True, complained_days=30.1), Cue.GREET),
        (Situation(tier="Gold", days_away=60.0), Cue.RECOGNISE),
        (Situation(tier="GOLD ", days_away=60.0), Cue.RECOGNISE),
        (Situation(tier="Gold", days_away=59.9), Cue.LEAVE_ALONE),
        (Situation(tier="Gold"), Cue.LEAVE_ALONE),
        (Situation(browses=0.95, days_since_order=29.0), Cue.OFFER),
        (Situation(browses=0.05, tier="Gold", days_away=90.0), Cue.LEAVE_ALONE),
    ],
)
def test_the_default_policy(found: Situation, expected: Cue) -> None:
    assert cue(DEFAULT_POLICY, found).cue is expected


@given(st.floats(0, 400) | st.none())
def test_a_bound_on_what_is_not_known_does_not_hold(days: float | None) -> None:
    policy = CuePolicy(rules=(CueRule(cue=Cue.OFFER, says="New shoes.", order_within_days=30),))
    assert (cue(policy, Situation(days_since_order=days)).cue is Cue.OFFER) == (days is not None and days <= 30)


def test_policies_are_read_and_faults_are_named() -> None:
    assert read_policy(msgspec.json.encode(DEFAULT_POLICY)) == DEFAULT_POLICY
    for text, said in (
        ("{", "no policy"), ('{"rules": [{"cue": "sing", "says": "x"}]}', "no policy"),
        ('{"rules": [{"cue": "greet", "says": "x", "shoe_size": 39}]}', "shoe_size"),
        ('{"rules": [{"cue": "greet", "says": ""}]}', "rules 1"),
        ('{"rules": [{"cue": "greet", "says": "x"}, {"cue": "offer", "says": "y"}]}', "everybody"),
        ('{"rules": [{"cue": "offer", "says": "x", "browses_at_least": 7}]}', "browses_at_least is between 0 and 1"),
        ('{"rules": [{"cue": "offer", "says": "x", "days_away_at_least": -5}]}', "days_away_at_least"),
        ('{"rules": [{"cue": "offer", "says": "x", "tiers": []}]}', "never holds"),
        ('{"rules": [' + ",".join(['{"cue": "greet", "says": "x", "visits_at_least": 1}'] * 21) + "]}", "20 rules"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            read_policy(text.encode())
