"""Survey files: somebody stood in a zone with a device and wrote it down.

CSV with the columns `store`, `device`, `zone`, `from`, `to`; times are whole ns since 1970 or ISO 8601 (UTC where
there is no offset).
"""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from core.dwell.clocks import REACH_US
from core.dwell.survey import SURVEY, SurveyArray
from core.errors import SurveyError
from core.floorplan import FloorPlan, StorePlan
from core.limits import NS_PER_S, NS_PER_US
from core.records import SignalArray
from simulators.recordings.signals import Devices

_COLUMNS: Final = ("store", "device", "zone", "from", "to")
_FORM: Final = f"A survey is a CSV in UTF-8 with the columns {', '.join(_COLUMNS)}."
_NAMED: Final = 8
"""So many ids in a sentence help; more are a list."""
_LONGEST_NS: Final = 24 * 3600 * NS_PER_S
"""Nobody stands in one zone for longer than a day; a slip in a date is likelier."""
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SurveyRow(NamedTuple):
    """One row; times in ns."""

    where: str
    """File and line, for whoever has to mend it."""
    store: str
    device: str
    zone: str
    begins_at: int
    ends_at: int


def read_survey(path: Path, plan: FloorPlan) -> tuple[SurveyRow, ...]:
    """Read a survey and check it against a floor plan.

    Raises
    ------
    SurveyError
        If it cannot be read or a row cannot be used, with its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            missing = [name for name in _COLUMNS if name not in (lines.fieldnames or ())]
            if missing:
                raise SurveyError(
                    f"There is no column {missing[0]!r}.",
                    hint=_FORM,
                    where=str(path),
                )
            rows = tuple(_row(values, f"{path}, line {lines.line_num}", plan) for values in lines)
    except OSError as error:
        raise SurveyError(f"The survey cannot be read: {error.strerror}.", hint=_FORM, where=str(path)) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise SurveyError(f"The survey is no CSV in UTF-8: {error}.", hint=_FORM, where=str(path)) from error
    if not rows:
        raise SurveyError("The survey has no rows.", hint="Write one for each stay that is known.", where=str(path))
    _check_apart(rows)
    return rows


def survey_points(rows: Sequence[SurveyRow], store: StorePlan, devices: Devices, signals: SignalArray) -> SurveyArray:
    """Return a store's rows as SURVEY.

    Raises
    ------
    SurveyError
        If a device was not heard while it was surveyed, not even by a clock as far off as clocks are corrected.
    """
    points = np.zeros(len(rows), SURVEY)
    reach_ns = REACH_US * NS_PER_US
    for point, row in zip(points, rows, strict=True):
        index = devices.find(row.device)
        if index is None:
            raise SurveyError(
                f"The recording has no device {row.device!r} in that store.",
                hint="Write it as in the recording, or take the row out.",
                where=row.where,
            )
        at = signals["ts"][signals["device"] == index]
        if not ((at >= row.begins_at - reach_ns) & (at <= row.ends_at + reach_ns)).any():
            raise SurveyError(
                f"Device {row.device!r} was not heard at that time.",
                hint="Mend from and to (UTC unless they say another), or take the row out.",
                where=row.where,
            )
        point["begins_at"], point["ends_at"] = row.begins_at, row.ends_at
        point["device"], point["zone"] = index, store.zone_index[row.zone]
    return points


def _row(values: dict[str, str | None], where: str, plan: FloorPlan) -> SurveyRow:
    store, device, zone, begins, ends = ((values[name] or "").strip() for name in _COLUMNS)
    if store not in plan.store_index:
        known = ", ".join(one.id for one in plan.stores[:_NAMED])
        raise SurveyError(f"The floor plan has no store {store!r}.", hint=f"Known are {known}.", where=where)
    zones = plan.stores[plan.store_index[store]].zone_index
    if zone not in zones:
        known = ", ".join([*zones][:_NAMED])
        raise SurveyError(f"Store {store!r} has no zone {zone!r}.", hint=f"Known are {known}.", where=where)
    if not device:
        raise SurveyError("The device is missing.", hint="Write what the recording calls it.", where=where)
    row = SurveyRow(where, store, device, zone, _time(begins, "from", where), _time(ends, "to", where))
    if not 0 < row.ends_at - row.begins_at <= _LONGEST_NS:
        raise SurveyError(
            "A survey point ends after it begins, at most a day later.", hint="Mend from and to.", where=where
        )
    return row


def _time(text: str, column: str, where: str) -> int:
    try:
        if text.isascii() and text.isdigit():
            ns = int(text)
        else:
            when = datetime.fromisoformat(text)
            since = (when if when.tzinfo is not None else when.replace(tzinfo=UTC)) - _BEGINNING
            ns = (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * NS_PER_US
    except ValueError:
        ns = -1
    if not 0 <= ns < 2**62:
        raise SurveyError(
            f"{column} is {text!r}, which is no time.",
            hint="Write ns since 1970 or ISO 8601, such as 2026-01-05T09:30:00Z.",
            where=where,
        )
    return ns


def _check_apart(rows: Sequence[SurveyRow]) -> None:
    """Raise SurveyError where a device is in two places at once."""
    ordered = sorted(rows, key=lambda row: (row.store, row.device, row.begins_at))
    for before, row in pairwise(ordered):
        if (before.store, before.device) == (row.store, row.device) and row.begins_at < before.ends_at:
            raise SurveyError(
                f"Device {row.device!r} is still elsewhere by {before.where}.",
                hint="Mend one of the two rows: nobody is in two zones at once.",
                where=row.where,
            )
