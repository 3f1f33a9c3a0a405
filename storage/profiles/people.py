"""Whose a row is, where profiles were merged: one rule for notes, alerts, messages and what is asked of them."""

from typing import Final, LiteralString

OF_PERSON: Final[LiteralString] = "array(select profile_id from person where kept_id = %(profile)s)"
"""The profiles of the person that %(profile)s stands for: itself, and those that were merged into it.

What is kept by profile is asked for with `= any(OF_PERSON)`, which the indexes go by; the views of what may be seen
(`note_seen`, `alert_seen`, `message_seen`) have it in `of_profile`, and in `profile_id` whom it is told of.
"""
