"""A policy as staff read and change it: rules in words, from fields of a form, as a draft that nothing keeps yet."""

from typing import Any, Final

import msgspec

from api.forms import Form, finite
from core.errors import InputError
from core.journey.cues import Cue, CuePolicy, CueRule, read_policy

NUMBERS: Final = {
    "visits_at_least": ("Earlier visits, at least", "at least {} earlier visits"),
    "days_away_at_least": ("Days away, at least", "away for {} days or more"),
    "order_within_days": ("Ordered within so many days", "ordered within {} days"),
    "complained_within_days": ("Complained within so many days", "complained within {} days"),
    "browses_at_least": ("Browser, at least this sure (%)", "a browser, {} % sure or more"),
    "browses_at_most": ("Browser, at most this sure (%)", "a browser, {} % sure or less"),
}
"""Bounds that are numbers: what the field is called, and what the rule says of it."""
APPOINTMENT: Final = {"": "Either way", "yes": "Today", "no": "Not today"}
BLANK: Final = dict.fromkeys((*NUMBERS, "says", "tiers", "appointment_today"), "") | {"cue": Cue.GREET.value}
"""Fields of a rule that is not there yet."""
_SAYS_CHARACTERS: Final = 200
_TIERS_CHARACTERS: Final = 400


def draft_of(policy: CuePolicy) -> str:
    """Return a policy as a form carries it; bounds that are not there are left out."""
    return msgspec.json.encode({"rules": [_held(rule) for rule in policy.rules]}).decode()


def rules_in_words(policy: CuePolicy) -> list[dict[str, Any]]:
    """Return for each rule what the page shows: the rule, its bounds in words, and its fields as they are now."""
    return [{"rule": rule, "bounds": _words(rule), "fields": _fields(rule)} for rule in policy.rules]


def changed_draft(form: Form) -> CuePolicy:
    """Return the draft that a form carries after what its button says: add, change, remove or raise a rule.

    Raises
    ------
    InputError
        If the button or a field is not possible, or the policy would not be.
    """
    rules = list(read_policy(form.get("draft").encode()).rules)
    act, _, number = form.get("act").partition(" ")
    place = next((at for at in range(len(rules)) if number == str(at + 1)), None)
    if act == "add":
        rules.append(_rule(form))
    elif act == "change" and place is not None:
        rules[place] = _rule(form)
    elif act == "remove" and place is not None:
        del rules[place]
    elif act == "raise" and place:
        rules[place - 1], rules[place] = rules[place], rules[place - 1]
    else:
        raise InputError("This button is not of this page.", hint="Load the page again.", where="act")
    return read_policy(draft_of(CuePolicy(rules=tuple(rules))).encode())


def _rule(form: Form) -> CueRule:
    says = form.get("says")
    if not 1 <= len(says) <= _SAYS_CHARACTERS or not says.isprintable():
        raise InputError(f"A rule says why in 1 to {_SAYS_CHARACTERS} characters.", where="Why")
    if form.get("cue") not in set(Cue):
        raise InputError("Choose what staff are to do.", where="What to do")
    tiers = tuple(tier.strip() for tier in form.get("tiers")[:_TIERS_CHARACTERS].split(",") if tier.strip())
    bounds: dict[str, Any] = {name: _number(form, name) for name in NUMBERS}
    visits = bounds["visits_at_least"]
    if visits is not None:
        if not visits.is_integer():
            raise InputError("Visits are whole.", where=NUMBERS["visits_at_least"][0])
        bounds["visits_at_least"] = int(visits)
    appointment = {"yes": True, "no": False}.get(form.get("appointment_today"))
    return CueRule(cue=Cue(form.get("cue")), says=says, tiers=tiers or None, appointment_today=appointment, **bounds)


def _number(form: Form, name: str) -> float | None:
    text = form.get(name).replace(",", ".")
    if not text:
        return None
    value = finite(text, NUMBERS[name][0])
    return value / 100 if name.startswith("browses") else value


def _held(rule: CueRule) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(rule).items() if value is not None}


def _fields(rule: CueRule) -> dict[str, str]:
    fields = {name: _said(name, getattr(rule, name)) for name in NUMBERS}
    appointment = {None: "", True: "yes", False: "no"}[rule.appointment_today]
    return fields | {
        "cue": rule.cue.value,
        "says": rule.says,
        "tiers": ", ".join(rule.tiers or ()),
        "appointment_today": appointment,
    }


def _words(rule: CueRule) -> str:
    words = [says.format(_said(name, getattr(rule, name))) for name, (_, says) in NUMBERS.items() if _has(rule, name)]
    if rule.tiers is not None:
        words.append("tier " + " or ".join(rule.tiers))
    if rule.appointment_today is not None:
        words.append("an appointment today" if rule.appointment_today else "no appointment today")
    return "; ".join(words) if words else "everybody"


def _has(rule: CueRule, name: str) -> bool:
    return getattr(rule, name) is not None


def _said(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 100 if name.startswith('browses') else value:g}"
