"""Who may ask what: every route of the application, with the roles that may.

A route that is not here keeps the application from starting (`api.access.gate`), and docs/access.md is made of this.
"""

from dataclasses import dataclass
from typing import Final

from api.access.principal import Principal, Role

_O, _C, _P, _A, _E = Role.OPERATIONS, Role.CRM, Role.PRIVACY, Role.ADMIN, Role.EDGE


@dataclass(frozen=True)
class Entry:
    """What a route asks of whoever asks it.

    Parameters
    ----------
    roles : frozenset of Role
        One of them is enough; empty: nobody has to be known.
    because : str
        Why nobody has to be known, or which secret of its own the route asks for.
    acts_as : Role, optional
        As whom the database is asked where nobody has to be known.
    own_right : bool
        The database is asked with the process's own rights: for the tables of the login and the audit, which no role
        may read, and for erasure.
    """

    roles: frozenset[Role]
    because: str = ""
    acts_as: Role | None = None
    own_right: bool = False
    in_part: frozenset[Role] = frozenset()
    """Roles, of these, that may not all that the route does; the route itself says which."""
    whole_company: bool = False
    """What it does reaches every store, so that it is for whoever is bound to none."""


def _of(*roles: Role) -> Entry:
    return Entry(frozenset(roles))


PEOPLE: Final = frozenset({_O, _C, _P, _A})
"""Whoever logs in."""
_MEMBERS: Final = Entry(PEOPLE)
_ANY: Final = Entry(frozenset(Role))
_COUNTS: Final = _of(_O, _C, _A)
"""What is counted of a store."""
_SINGLE: Final = _of(_P, _A)
"""Single visits, of devices that nobody knows: where each person went and when. No figure of a store needs them."""
_CHANGED: Final = _of(_C, _P, _A)
"""How one visit changed, by its id: CRM knows ids of its customers' visits alone."""
_RUNS_STORE: Final = _of(_O, _A)
"""What a store counts and watches."""
_SETS_RULES: Final = Entry(frozenset({_O, _A}), in_part=frozenset({_O}))
"""Who is counted: rules that let a few people into every figure are an admin's (`core.metrics.exclusions`)."""
_CRM: Final = _of(_C)
_FINDS: Final = _of(_C, _P)
"""To find somebody, and what they agreed to."""
_PRIVACY: Final = _of(_P)
_DESK: Final = Entry(frozenset({_P}), own_right=True)
"""Erasure, access export and audit reach every place there is, and the desk has every store."""
_ADMIN: Final = _of(_A)
_COMPANY: Final = Entry(frozenset({_A}), whole_company=True)
"""Other systems, which are told of every store's customers and tell of them."""
_WORDS: Final = _of(_C, _A)
"""Lists, templates and rules that CRM works with and admins set up."""
_SENDS: Final = _of(_C, _E)
"""What programs tell of customers."""
_LOGIN: Final = Entry(frozenset(), "the way in", own_right=True)
_ACCOUNT: Final = Entry(PEOPLE, own_right=True)
_PEOPLE: Final = Entry(frozenset({_A}), own_right=True)

TABLE: Final[dict[str, Entry]] = {
    # the house
    "GET /v1/health": Entry(frozenset(), "says only that the process is up"),
    "GET /v1/ready": Entry(
        frozenset(), "states without a name, for programs that restart others; it has to answer without the database"
    ),
    "GET /openapi.json": _ANY,
    "GET /login": _LOGIN,
    "POST /login": _LOGIN,
    "GET /login/second-step": _LOGIN,
    "POST /login/second-step": _LOGIN,
    "GET /login/new-password": _LOGIN,
    "POST /login/new-password": _LOGIN,
    "GET /login/provider": _LOGIN,
    "GET /login/provider/back": _LOGIN,
    "POST /logout": _LOGIN,
    "GET /account": _ACCOUNT,
    "POST /account/password": _ACCOUNT,
    "POST /account/second-step": _ACCOUNT,
    "POST /account/second-step/remove": _ACCOUNT,
    "POST /account/sessions": _ACCOUNT,
    "GET /people": _PEOPLE,
    "POST /people": _PEOPLE,
    "GET /people/{account}": _PEOPLE,
    "POST /people/{account}": _PEOPLE,
    "GET /api-keys": _PEOPLE,
    "POST /api-keys": _PEOPLE,
    "POST /api-keys/{key_no}": _PEOPLE,
    # stores and their figures
    "GET /": _MEMBERS,
    "GET /formulas": _MEMBERS,
    "GET /v1/metrics/formulas": _ANY,
    "GET /v1/stores": _ANY,
    "GET /v1/stores/{store}": _ANY,
    "GET /v1/stores/{store}/zones": _ANY,
    "GET /stores/{store}": _COUNTS,
    "GET /stores/{store}/today": _COUNTS,
    "GET /stores/{store}/traffic": _COUNTS,
    "GET /stores/{store}/dwell": _COUNTS,
    "GET /stores/{store}/flow": _COUNTS,
    "GET /stores/{store}/compare": _COUNTS,
    "GET /stores/{store}/coverage": _COUNTS,
    "GET /v1/stores/{store}/occupancy": _COUNTS,
    "GET /v1/stores/{store}/coverage": _COUNTS,
    "GET /v1/stores/{store}/live": _COUNTS,
    "GET /v1/stores/{store}/visits": _SINGLE,
    "GET /v1/stores/{store}/visits/{visit}/revisions": _CHANGED,
    "GET /v1/stores/{store}/metrics/{formula}": _COUNTS,
    "GET /v1/stores/{store}/presets": _COUNTS,
    "GET /v1/stores/{store}/cells": _COUNTS,
    "GET /v1/stores/{store}/heatmap": _COUNTS,
    "GET /stores/{store}/alerts": _COUNTS,
    "POST /stores/{store}/alerts": _RUNS_STORE,
    "GET /v1/stores/{store}/alerts": _COUNTS,
    "POST /v1/stores/{store}/alert-rules": _RUNS_STORE,
    "DELETE /v1/stores/{store}/alert-rules/{rule_no}": _RUNS_STORE,
    "GET /stores/{store}/exclusions": _COUNTS,
    "POST /stores/{store}/exclusions": _SETS_RULES,
    "GET /v1/stores/{store}/exclusions": _COUNTS,
    "PUT /v1/stores/{store}/exclusions": _SETS_RULES,
    "POST /v1/stores/{store}/exclusions/{change_no}/restore": _SETS_RULES,
    "GET /v1/stores/{store}/shelf-items": _COUNTS,
    "PUT /v1/stores/{store}/shelf-items": _RUNS_STORE,
    # plans, edges
    "GET /floor-plans/new": _ADMIN,
    "GET /stores/{store}/plan": _ADMIN,
    "GET /v1/stores/{store}/plan": _COUNTS,
    "GET /v1/stores/{store}/plan.svg": _COUNTS,
    "PUT /v1/stores/{store}/plan": _ADMIN,
    "POST /v1/plans/check": _ADMIN,
    "GET /fleet": _RUNS_STORE,
    "GET /stores/{store}/fleet": _RUNS_STORE,
    "GET /v1/fleet": _RUNS_STORE,
    "GET /v1/fleet/{store}": _RUNS_STORE,
    "GET /v1/fleet/{store}/alarms": _RUNS_STORE,
    # profiles
    "GET /profiles": _FINDS,
    "GET /v1/profiles": _FINDS,
    "GET /v1/profiles/{profile}": _FINDS,
    "GET /profiles/{profile}": _CRM,
    "GET /v1/profiles/{profile}/visits": _CRM,
    "GET /v1/profiles/{profile}/journey": _CRM,
    "GET /v1/profiles/{profile}/journey/history": _CRM,
    "GET /v1/profiles/{profile}/journey/feelings": _CRM,
    "GET /v1/profiles/{profile}/understanding": _CRM,
    "GET /v1/profiles/{profile}/cue": _CRM,
    "GET /v1/profiles/{profile}/timeline": _CRM,
    "GET /v1/profiles/{profile}/memory": _CRM,
    "GET /profiles/{profile}/memory": _CRM,
    "GET /profiles/{profile}/messages": _CRM,
    "GET /v1/profiles/{profile}/messages": _CRM,
    "POST /v1/profiles/{profile}/messages": _CRM,
    "POST /v1/profiles/{profile}/messages/preview": _CRM,
    "GET /v1/profiles/{profile}/card": _CRM,
    "POST /v1/profiles/{profile}/card-tickets": _CRM,
    "GET /card": Entry(frozenset(), "an empty page that posts the ticket of its address's fragment"),
    "POST /card": Entry(frozenset(), "the ticket is its secret: minutes, one profile, once", _C),
    # consent and identity
    "GET /v1/profiles/{profile}/consents": _FINDS,
    "POST /v1/profiles/{profile}/consents": _FINDS,
    "GET /profiles/{profile}/consent": _FINDS,
    "POST /profiles/{profile}/withdrawals": _FINDS,
    "GET /v1/profiles/{profile}/links": _PRIVACY,
    "POST /v1/profiles/{profile}/links/{link_no}": _PRIVACY,
    "POST /profiles/{profile}/links/{link_no}": _PRIVACY,
    "GET /identity": _PRIVACY,
    "POST /identity/cases/{case_no}": _PRIVACY,
    "POST /identity/cases/{case_no}/undo": _PRIVACY,
    "POST /identity/blocked-devices/{block_no}/lift": _PRIVACY,
    "GET /v1/identity/cases": _PRIVACY,
    "POST /v1/identity/cases/{case_no}": _PRIVACY,
    "POST /v1/identity/cases/{case_no}/undo": _PRIVACY,
    "GET /v1/identity/blocked-devices": _PRIVACY,
    "POST /v1/identity/blocked-devices/{block_no}/lift": _PRIVACY,
    "POST /v1/withdrawals": _of(_C, _P, _E),
    "GET /v1/exports/{what}": _PRIVACY,
    "GET /v1/profiles/{profile}/access-export": _DESK,
    "GET /v1/data-map": _MEMBERS,
    "GET /privacy": _DESK,
    "POST /privacy/erasures": _DESK,
    "GET /privacy/erasures/{erasure}": _DESK,
    "POST /v1/erasures": _DESK,
    "GET /v1/erasures": _DESK,
    "GET /v1/erasures/{erasure}": _DESK,
    "GET /audit": _DESK,
    "GET /v1/audit": _DESK,
    "GET /v1/audit/hints": _DESK,
    "GET /v1/audit/heads": _DESK,
    # notes and follow-ups
    "GET /notes/worker.js": Entry(frozenset(), "a script, the same for everybody"),
    "GET /notes": _CRM,
    "GET /notes/new": _CRM,
    "GET /notes.csv": _CRM,
    "GET /notes-counts.csv": _CRM,
    "GET /notes/feelings": _CRM,
    "GET /notes/lists": _WORDS,
    "GET /notes/reports": _CRM,
    "GET /notes/reports.csv": _CRM,
    "GET /notes/{note}": _CRM,
    "GET /stores/{store}/note-tags": _CRM,
    "GET /stores/{store}/note-tags.csv": _CRM,
    "GET /v1/stores/{store}/note-tags": _CRM,
    "GET /v1/note-choices": _WORDS,
    "POST /v1/note-choices/{list}": _WORDS,
    "PUT /v1/note-choices/{list}/{word}": _WORDS,
    "POST /v1/notes/reading": _CRM,
    "GET /v1/notes": _CRM,
    "POST /v1/notes": _CRM,
    "GET /v1/notes/counts": _CRM,
    "GET /v1/notes/counts/leaving": _CRM,
    "GET /v1/notes/over-time": _CRM,
    "GET /v1/notes/feelings": _CRM,
    "GET /v1/notes/{note}": _CRM,
    "PUT /v1/notes/{note}": _CRM,
    "GET /v1/notes/{note}/history": _CRM,
    "GET /v1/notes/{note}/follow-ups": _CRM,
    "POST /v1/notes/{note}/follow-ups": _CRM,
    "POST /v1/interactions": _SENDS,
    "GET /follow-ups": _CRM,
    "GET /follow-ups.csv": _CRM,
    "GET /follow-ups/{follow_up}": _CRM,
    "GET /v1/colleagues": _CRM,
    "GET /v1/follow-ups": _CRM,
    "GET /v1/follow-ups/due-count": _CRM,
    "GET /v1/follow-ups/{follow_up}": _CRM,
    "POST /v1/follow-ups/{follow_up}/snooze": _CRM,
    "POST /v1/follow-ups/{follow_up}/reassign": _CRM,
    "POST /v1/follow-ups/{follow_up}/done": _CRM,
    # memory, messages, alerts, cues, journey map
    "GET /alerts": _CRM,
    "GET /alerts/{alert}": _CRM,
    "GET /v1/alerts": _CRM,
    "POST /v1/alerts/look": _CRM,
    "GET /v1/alerts/{alert}": _CRM,
    "PUT /v1/alerts/{alert}/verdict": _CRM,
    "GET /v1/alert-rules": _CRM,
    "PUT /v1/alert-rules/{rule}": _CRM,
    "GET /message-templates": _WORDS,
    "GET /v1/message-templates": _WORDS,
    "PUT /v1/message-templates/{template}": _WORDS,
    "GET /stores/{store}/cues": _CRM,
    "POST /stores/{store}/cues/{cue_no}": _CRM,
    "GET /stores/{store}/cue-policy": _WORDS,
    "POST /stores/{store}/cue-policy": _WORDS,
    "POST /stores/{store}/cue-policy/draft": _WORDS,
    "POST /stores/{store}/cue-trials": _CRM,
    "POST /stores/{store}/cue-trials/{trial_no}/end": _CRM,
    "GET /v1/stores/{store}/cues": _CRM,
    "GET /v1/stores/{store}/cues/live": _CRM,
    "POST /v1/cues/{cue_no}/outcome": _CRM,
    "GET /v1/stores/{store}/cue-policy": _WORDS,
    "PUT /v1/stores/{store}/cue-policy": _WORDS,
    "GET /v1/stores/{store}/cue-trials": _CRM,
    "POST /v1/stores/{store}/cue-trials": _CRM,
    "POST /v1/stores/{store}/cue-trials/{trial_no}/end": _CRM,
    "GET /journey-map": _CRM,
    "POST /journey-map": _CRM,
    "POST /journey-map/segments/{segment_no}/remove": _CRM,
    "GET /v1/journey-map": _CRM,
    "GET /v1/segments": _CRM,
    "POST /v1/segments": _CRM,
    "POST /v1/segments/count": _CRM,
    "POST /v1/segments/{segment_no}/remove": _CRM,
    # what other systems send
    "POST /v1/profiles": _SENDS,
    "POST /v1/inputs/{given_input}": _SENDS,
    "GET /v1/imports": _CRM,
    "GET /v1/imports/{import_no}": _CRM,
    "POST /v1/imports/profiles": _SENDS,
    "POST /v1/imports/withdrawals": _of(_C, _P, _E),
    "POST /v1/imports/{given_input}": _SENDS,
    "POST /v1/imports/{import_no}/revert": Entry(frozenset({_C}), whole_company=True),
    "POST /v1/hooks/{source}/{what}": Entry(frozenset(), "signed with the secret of its sender", _E),
    "POST /v1/app/installations": _SENDS,
    "GET /v1/app/installations": _FINDS,
    "POST /v1/app/installations/{installation}/revoke": _of(_C, _P, _E),
    "POST /v1/app/presence": Entry(frozenset(), "the token of an app's installation", _E),
    # webhooks
    "GET /webhooks": _COMPANY,
    "POST /webhooks": _COMPANY,
    "POST /webhooks/subscriptions/{subscription}": _COMPANY,
    "GET /webhooks/deliveries/{delivery_no}": _COMPANY,
    "POST /webhooks/deliveries/{delivery_no}/again": _COMPANY,
    "POST /webhooks/senders": _COMPANY,
    "POST /webhooks/senders/{source}": _COMPANY,
    "GET /v1/webhooks/event-types": _COMPANY,
    "GET /v1/webhooks/subscriptions": _COMPANY,
    "POST /v1/webhooks/subscriptions": _COMPANY,
    "POST /v1/webhooks/subscriptions/{subscription}": _COMPANY,
    "POST /v1/webhooks/subscriptions/{subscription}/secret": _COMPANY,
    "POST /v1/webhooks/subscriptions/{subscription}/test": _COMPANY,
    "POST /v1/webhooks/subscriptions/{subscription}/remove": _COMPANY,
    "GET /v1/webhooks/deliveries": _COMPANY,
    "GET /v1/webhooks/deliveries/{delivery_no}": _COMPANY,
    "POST /v1/webhooks/deliveries/{delivery_no}/again": _COMPANY,
    "GET /v1/webhooks/senders": _COMPANY,
    "POST /v1/webhooks/senders": _COMPANY,
    "POST /v1/webhooks/senders/{source}/secret": _COMPANY,
    "POST /v1/webhooks/senders/{source}/remove": _COMPANY,
}


def may_open(principal: Principal, path: str) -> bool:
    """Return whether somebody may open a page, by its path as the table has it."""
    entry = TABLE[f"GET {path}"]
    return principal.may(*entry.roles) and not (entry.whole_company and principal.stores is not None)


_IN_PART: Final = (
    "In part: operations change opening hours and the limit of passers-by. Rules that keep groups of a few people out"
    " of every figure (`staff`, `fixtures`, `staff_zone_s`, `long_stay_s`) are an admin's, also where older rules are"
    " restored: 403 otherwise."
    "\n\nEvery store: what it does reaches all of them, so it is for whoever is bound to none; 403 (problem `stores`)"
    " otherwise."
)


def as_markdown() -> str:
    """Return the table as docs/access.md has it."""
    lines = ["| route | " + " | ".join(Role) + " |", "|---|" + "---|" * len(Role)]
    for route, entry in sorted(TABLE.items(), key=lambda item: (item[0].split()[1], item[0])):
        if entry.roles:
            yes = "every store" if entry.whole_company else "yes"
            cells = ["in part" if role in entry.in_part else yes if role in entry.roles else "" for role in Role]
            lines.append(f"| `{route}` | " + " | ".join(cells) + " |")
    lines += ["", _IN_PART, "", "| without a login | because |", "|---|---|"]
    lines += [f"| `{route}` | {entry.because} |" for route, entry in sorted(TABLE.items()) if not entry.roles]
    return "\n".join(lines) + "\n"
