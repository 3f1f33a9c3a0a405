"""Whether a customer will come back: BG/NBD and MBG/NBD, fitted to the whole clientele, asked for one customer.

A customer comes at a rate of her own (gamma over the clientele) until she stays away for good; after each visit the
chance to do so is one of her own too (beta). BG/NBD lets nobody stay away before a second visit, MBG/NBD also after
the first.

Sources: P. Fader, B. Hardie, K. Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005);
E. Batislam, M. Denizel, A. Filiztekin, Empirical validation and comparison of models for customer base analysis,
International Journal of Research in Marketing 24 (2007). Times are days (any unit, as long as it is the same).
"""

from collections.abc import Sequence
from enum import StrEnum
from math import exp, log
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, hyp2f1

from core.errors import InputError

FEWEST_CUSTOMERS: Final = 100
"""Four parameters from fewer customers move by half from sample to sample; then nothing is said."""
_LARGEST_LOG: Final = 12.0
"""Parameters between e^-12 and e^12; outside the likelihood is flat, and the search would wander off."""


class ReturnKind(StrEnum):
    """Which of the two models."""

    BG = "bg_nbd"
    MBG = "mbg_nbd"


class ReturnModel(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted model: the gamma of rates (`r`, `alpha` in days) and the beta of staying away (`a`, `b`)."""

    kind: ReturnKind
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    customers: int


class Attendance(msgspec.Struct, frozen=True, kw_only=True):
    """How often somebody came: `repeats` after the first visit, the last at `recency`, seen until `age`.

    Both times count from the first visit.
    """

    repeats: int
    recency: float
    age: float


def fit(kind: ReturnKind, clientele: Sequence[Attendance]) -> ReturnModel:
    """Return the model of greatest likelihood.

    Raises
    ------
    InputError
        If fewer than FEWEST_CUSTOMERS are given, nobody ever came back, or an attendance contradicts itself.
    """
    if len(clientele) < FEWEST_CUSTOMERS:
        raise InputError(f"A return model needs {FEWEST_CUSTOMERS} customers, there are {len(clientele)}.")
    x, t_x, t, weight = _columns(clientele)
    if not x.any():
        raise InputError("Nobody ever came back, so nothing can be learnt about returning.")
    scale = float(np.average(t, weights=weight))  # times near 1, whatever their unit
    t_x, t = t_x / scale, t / scale

    def loss(logs: NDArray[np.float64]) -> float:
        tried = np.exp(np.clip(logs, -_LARGEST_LOG, _LARGEST_LOG))
        return -float(weight @ _log_likelihood(kind, tried, x, t_x, t)) / len(clientele)

    # loaded here: it takes longer than the rest of the API to load, and only the fitting needs it
    from scipy.optimize import minimize  # noqa: PLC0415

    # no gradient: 2,000 evaluations on counted rows take a fraction of a second
    found = minimize(
        loss, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 4000}
    )
    best = np.exp(np.clip(found.x, -_LARGEST_LOG, _LARGEST_LOG)) * (1, scale, 1, 1)
    r, alpha, a, b = map(float, best)
    t_x, t = t_x * scale, t * scale
    return ReturnModel(
        kind=kind,
        r=r,
        alpha=alpha,
        a=a,
        b=b,
        log_likelihood=float(weight @ _log_likelihood(kind, best, x, t_x, t)),
        customers=len(clientele),
    )


def still_a_customer(model: ReturnModel, seen: Attendance) -> float:
    """Return the probability that she has not stayed away for good (0..1)."""
    r, alpha, a, b, x = model.r, model.alpha, model.a, model.b, seen.repeats
    if x == 0 and model.kind is ReturnKind.BG:
        return 1.0  # this model lets nobody leave before a second visit
    stayed_away = log(a / (b + x - (model.kind is ReturnKind.BG)))
    gone = stayed_away + (r + x) * log((alpha + seen.age) / (alpha + seen.recency))
    return 1.0 / (1.0 + exp(min(gone, 700.0)))


def expected_visits(model: ReturnModel, seen: Attendance, ahead: float) -> float:
    """Return how many visits are expected within the next `ahead` (same unit as the fit)."""
    if ahead < 0:
        raise InputError("Expected visits are about time ahead, which is not negative.")
    r, alpha, a, b, x = model.r, model.alpha, model.a, model.b, seen.repeats
    extra = model.kind is ReturnKind.MBG
    if abs(a - 1) < 1e-6:  # the formula has a removable pole there
        a += 2e-6
    shape = (r + x, b + x + extra, a + b + x - 1 + extra)
    span = ahead / (alpha + seen.age + ahead)
    shrink = exp((r + x) * log((alpha + seen.age) / (alpha + seen.age + ahead)))
    count = (a + b + x - 1 + extra) / (a - 1) * (1 - shrink * float(hyp2f1(*shape, span)))
    return max(0.0, count) * still_a_customer(model, seen)


def return_probability(model: ReturnModel, seen: Attendance, ahead: float) -> float:
    """Return the probability of at least one visit within the next `ahead`.

    She comes at a gamma rate, given what was seen, as long as she is a customer: P(alive) (1 - (A / (A + t))^(r + x))
    with A = alpha + age.
    """
    if ahead < 0:
        raise InputError("A return probability is about time ahead, which is not negative.")
    shape = model.r + seen.repeats
    none = exp(shape * log((model.alpha + seen.age) / (model.alpha + seen.age + ahead)))
    return still_a_customer(model, seen) * (1 - none)


def _columns(
    clientele: Sequence[Attendance],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    rows = np.array([(one.repeats, one.recency, one.age) for one in clientele], np.float64)
    wrong = (rows[:, 0] < 0) | (rows[:, 1] < 0) | (rows[:, 2] < rows[:, 1]) | ~np.isfinite(rows).all(axis=1)
    wrong |= (rows[:, 0] == 0) & (rows[:, 1] > 0)
    if wrong.any():
        raise InputError(
            f"Attendance {int(np.argmax(wrong)) + 1} of {len(rows)} contradicts itself.",
            hint="It needs 0 <= recency <= age, and recency 0 without repeats.",
        )
    unique, counts = np.unique(rows, axis=0, return_counts=True)
    return unique[:, 0], unique[:, 1], unique[:, 2], counts.astype(np.float64)


def _log_likelihood(
    kind: ReturnKind,
    parameters: NDArray[np.float64],
    x: NDArray[np.float64],
    t_x: NDArray[np.float64],
    t: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the log-likelihood of each row, as both papers factor it: rate, then stayed so far or left at t_x."""
    r, alpha, a, b = parameters
    extra = float(kind is ReturnKind.MBG)
    rate: NDArray[Any] = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stayed = betaln(a, b + x + extra) - betaln(a, b) - (r + x) * np.log(alpha + t)
    may_have_left = (x > 0) | (kind is ReturnKind.MBG)
    before = np.where(may_have_left, x - 1 + extra, 0.0)  # visits after which she might have left and did not
    left = betaln(a + 1, b + before) - betaln(a, b) - (r + x) * np.log(alpha + t_x)
    both: NDArray[np.float64] = rate + np.where(may_have_left, np.logaddexp(stayed, left), stayed)
    return both
