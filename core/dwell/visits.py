"""Decided stays become visits: what is long enough, in nanoseconds, with confidence, in a fixed order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dwell.emission import SURE_UNIT
from core.dwell.settings import Settings
from core.limits import NS_PER_US
from core.records import NO_ZONE, VISIT, VisitArray, VisitKind

_TIMES = ("entered_at", "left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest")


def visits_from(stays: NDArray[Any], settings: Settings) -> VisitArray:
    """Turn stays (core.dwell.decoder.STAY) into visits (VISIT); shorter ones than `stay_min_ns` are left out.

    A store visit is held to the same bound: whoever was heard for less passed by.
    """
    long_enough = (stays["left_at"] - stays["entered_at"]) * NS_PER_US >= settings.stay_min_ns
    stays = stays[long_enough]
    visits = np.zeros(len(stays), VISIT)
    for name in _TIMES:
        visits[name] = stays[name] * NS_PER_US
    visits["device"] = stays["device"]
    visits["signals"] = stays["signals"]
    # unsigned: 67 million signals of one visit, 770 a second for a day, are summed rightly
    sure = stays["sure"].astype(np.uint32) / (SURE_UNIT * np.maximum(stays["signals"], 1))
    visits["confidence"] = np.minimum(sure, 1)
    visits["zone"] = np.where(stays["kind"] == VisitKind.STORE, NO_ZONE, stays["zone"])
    visits["kind"] = stays["kind"]
    visits["closed_by"] = stays["closed_by"]
    visits["forced"] = stays["forced"]
    visits["role"] = stays["role"]
    return visits


def let_bounds_agree(stays: NDArray[Any]) -> None:
    """Let bounds not contradict each other: nobody leaves before the earliest entry, or enters after the latest exit.

    Each bound tells since or until when another path was as likely, and that path may not have been in the zone at
    all. A stay that is reported is taken to have been; then this loses no pair of times that the bounds allowed.
    """
    stays["left_earliest"] = np.maximum(stays["left_earliest"], stays["entered_earliest"])
    stays["entered_latest"] = np.minimum(stays["entered_latest"], stays["left_latest"])


def in_fixed_order(visits: VisitArray, pseudonyms: NDArray[np.uint8]) -> VisitArray:
    """Sort by entry, kind, zone, pseudonym: an order that does not depend on how devices got their index.

    Parameters
    ----------
    visits : VISIT, shape (n,)
    pseudonyms : uint8, shape (n, 16)
        That of each visit's device.
    """
    order = np.argsort(visits["entered_at"], kind="stable")
    same = np.diff(visits["entered_at"][order]) == 0
    tied = np.zeros(len(visits), np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    some = order[tied]  # few: a store visit begins with its first zone visit
    words = np.ascontiguousarray(pseudonyms[some]).view(">u8").reshape(-1, 2)
    entered, kind, zone = (visits[name][some] for name in ("entered_at", "kind", "zone"))
    order[tied] = some[np.lexsort((words[:, 1], words[:, 0], zone, kind, entered))]
    return visits[order]
