"""Who is left out of a store's figures: the rules that hold, and every change of them."""

from datetime import datetime

import msgspec
from psycopg.types.json import Jsonb

from core.errors import ForbiddenError, InputError
from core.metrics.exclusions import DEFAULT_RULES, Rules, changed_groups, checked
from storage.access.acting import in_own_right
from storage.connect import Connection


class RulesChange(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that somebody set; `holds` says whether they are the ones in force."""

    change_no: int
    rules: Rules
    operator: str
    reason: str
    changed_at: datetime
    holds: bool


def read_rules(connection: Connection, store_no: int) -> Rules:
    """Return the rules of a store that hold now; DEFAULT_RULES where nobody has set any."""
    row = connection.execute(
        "select rules::text from exclusion_change where store_no = %s order by change_no desc limit 1", [store_no]
    ).fetchone()
    return DEFAULT_RULES if row is None else msgspec.json.decode(row[0], type=Rules)


def rules_changes(connection: Connection, store_no: int, *, most: int) -> list[RulesChange]:
    """Return the newest changes of a store's rules, at most `most`, newest first."""
    rows = connection.execute(
        "select change_no, rules::text, operator, reason, changed_at from exclusion_change where store_no = %s"
        " order by change_no desc limit %s",
        [store_no, most],
    ).fetchall()
    return [
        RulesChange(
            change_no=change_no,
            rules=msgspec.json.decode(rules, type=Rules),
            operator=operator,
            reason=reason,
            changed_at=changed_at,
            holds=number == 0,
        )
        for number, (change_no, rules, operator, reason, changed_at) in enumerate(rows)
    ]


def find_rules(connection: Connection, store_no: int, change_no: int) -> Rules | None:
    """Return the rules that a change had set, None if the store has no such change; 0: the defaults."""
    if change_no == 0:
        return DEFAULT_RULES
    row = connection.execute(
        "select rules::text from exclusion_change where store_no = %s and change_no = %s", [store_no, change_no]
    ).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Rules)


def set_rules(
    connection: Connection,
    store_no: int,
    rules: Rules,
    *,
    operator: str,
    reason: str,
    most_a_day: int | None = None,
    small_groups: bool = True,
) -> bool:
    """Let other rules hold from now on, for every day that is not frozen; return whether they are others.

    `small_groups` says whether this operator may change the rules that keep few people out (SMALL_GROUPS).

    To be called in a transaction. Days are counted anew by `storage.rollups.keeping.refresh`, until then by whoever
    asks.

    Raises
    ------
    InputError
        If the rules do not fit together, or would be other rules more than `most_a_day` times within 24 hours.
    ForbiddenError
        If one of SMALL_GROUPS would change, and that is not for this operator.
    """
    checked(rules)
    with in_own_right(connection):  # a lock asks for the right to change the store, which is an admin's
        connection.execute("select from store where store_no = %s for no key update", [store_no])
    before = read_rules(connection, store_no)
    if before == rules:
        return False
    changed_few = changed_groups(before, rules)
    if changed_few and not small_groups:
        raise ForbiddenError(
            f"{', '.join(changed_few)}: such a rule keeps a few people out of every figure, so this needs the role"
            " admin.",
            hint="Leave these as they are, or ask an admin; opening hours and passers-by can be changed.",
        )
    changed = connection.execute(
        "select count(*) from exclusion_change where store_no = %s and changed_at > now() - interval '1 day'",
        [store_no],
    ).fetchone()
    if most_a_day is not None and changed is not None and changed[0] >= most_a_day:
        raise InputError(
            f"The rules of this store have changed {changed[0]} times within a day, which is as often as they may.",
            hint="Change them tomorrow: figures under many rules, compared, tell of single visits.",
            where="rules",
        )
    connection.execute(
        "insert into exclusion_change (store_no, rules, operator, reason) values (%s, %s, %s, %s)",
        [store_no, Jsonb(msgspec.to_builtins(rules)), operator, reason],
    )
    with in_own_right(connection):
        connection.execute("select recount_store(%s)", [store_no])
    return True
