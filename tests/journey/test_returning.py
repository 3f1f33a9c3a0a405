"""BG/NBD and MBG/NBD against the published fit, against simulated clienteles and against themselves."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.journey.returning import (
    Attendance,
    ReturnKind,
    ReturnModel,
    expected_visits,
    fit,
    return_probability,
    still_a_customer,
)

CDNOW_BG = ReturnModel(
    kind=ReturnKind.BG, r=0.2426, alpha=4.4135, a=0.7929, b=2.4258, log_likelihood=-9582.43, customers=2357
)
MBG = ReturnModel(kind=ReturnKind.MBG, r=0.8, alpha=9.0, a=0.9, b=2.5, log_likelihood=0.0, customers=1)


def cdnow() -> list[Attendance]:
    folder = os.environ.get("SOJOURN_RECORDINGS")
    if not folder:
        pytest.skip("SOJOURN_RECORDINGS is not set")
    with (Path(folder) / "cdnow_summary.csv").open(newline="") as file:
        return [
            Attendance(repeats=int(row["x"]), recency=float(row["t_x"]), age=float(row["T"]))
            for row in csv.DictReader(file)
        ]


@pytest.mark.recordings
def test_the_published_fit_of_cdnow() -> None:
    clientele = cdnow()
    found = fit(ReturnKind.BG, clientele)
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert found.log_likelihood == pytest.approx(-9582.43, abs=0.01)
    modified = fit(ReturnKind.MBG, clientele)
    # published for the same data: r .525, alpha 6.183, a .891, b 1.614 (Batislam et al., with the same likelihood)
    assert (modified.r, modified.alpha, modified.a, modified.b) == pytest.approx(
        (0.525, 6.183, 0.891, 1.614), abs=2e-3
    )
    in_days = fit(
        ReturnKind.BG,
        [Attendance(repeats=one.repeats, recency=7 * one.recency, age=7 * one.age) for one in clientele],
    )
    assert (in_days.r, in_days.alpha / 7, in_days.a, in_days.b) == pytest.approx(
        (found.r, found.alpha, found.a, found.b), rel=1e-3
    )


def test_the_worked_example_of_the_paper() -> None:
    seen = Attendance(repeats=2, recency=30.43, age=38.86)
    assert expected_visits(CDNOW_BG, seen, 39) == pytest.approx(1.226, abs=0.001)


def simulated(
    model: ReturnModel, customers: int, age: float, ahead: float, seed: int
) -> list[tuple[Attendance, int]]:
    """Attendances, and how many visits came within `ahead` after them: the story of the model, acted out."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(customers):
        rate, leaves = chance.gamma(model.r, 1 / model.alpha), chance.beta(model.a, model.b)
        at, visits, later = 0.0, [], 0
        gone = model.kind is ReturnKind.MBG and chance.random() < leaves
        while not gone:
            at += chance.exponential(1 / max(rate, 1e-12))
            if at > age + ahead:
                break
            if at <= age:
                visits.append(at)
            else:
                later += 1
            gone = chance.random() < leaves
        found.append((Attendance(repeats=len(visits), recency=visits[-1] if visits else 0.0, age=age), later))
    return found


@pytest.mark.parametrize("model", [CDNOW_BG, MBG], ids=["bg", "mbg"])
def test_what_is_expected_is_what_comes_when_the_model_is_acted_out(model: ReturnModel) -> None:
    clientele = simulated(model, 30_000, 40.0, 30.0, seed=11)
    for repeats in (0, 1, 3):
        rows = [(seen, later) for seen, later in clientele if seen.repeats == repeats]
        counts = np.array([later for _, later in rows])
        expected = np.mean([expected_visits(model, seen, 30.0) for seen, _ in rows])
        chance = np.mean([return_probability(model, seen, 30.0) for seen, _ in rows])
        assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / len(rows) ** 0.5), repeats
        assert (counts > 0).mean() == pytest.approx(chance, abs=4 * 0.5 / len(rows) ** 0.5), repeats


def test_a_simulated_clientele_gives_its_parameters_back() -> None:
    found = fit(ReturnKind.MBG, [seen for seen, _ in simulated(MBG, 6_000, 120.0, 0.0, seed=3)])
    assert (found.r, found.alpha) == pytest.approx((MBG.r, MBG.alpha), rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(MBG.a / (MBG.a + MBG.b), rel=0.1)


def test_longer_silence_means_less_hope_and_more_time_more_visits() -> None:
    for model in (CDNOW_BG, MBG):
        alive = [still_a_customer(model, Attendance(repeats=4, recency=20.0, age=age)) for age in (20, 30, 60, 1e6)]
        assert alive == sorted(alive, reverse=True)
        assert all(0 <= chance <= 1 for chance in alive)
        seen = Attendance(repeats=4, recency=20.0, age=30.0)
        ahead = [return_probability(model, seen, days) for days in (0, 1, 30, 1e9)]
        assert ahead == sorted(ahead)
        assert ahead[0] == 0
        assert ahead[-1] <= still_a_customer(model, seen)
    assert still_a_customer(CDNOW_BG, Attendance(repeats=0, recency=0.0, age=99.0)) == 1


def test_too_few_customers_nobody_back_and_contradictions_are_refused() -> None:
    once = Attendance(repeats=0, recency=0.0, age=9.0)
    with pytest.raises(InputError, match="100 customers"):
        fit(ReturnKind.BG, [once] * 99)
    with pytest.raises(InputError, match="Nobody"):
        fit(ReturnKind.BG, [once] * 100)
    for wrong in (
        Attendance(repeats=1, recency=9.5, age=9.0), Attendance(repeats=0, recency=1.0, age=9.0),
        Attendance(repeats=1, recency=float("nan"), age=9.0), Attendance(repeats=-1, recency=0.0, age=9.0),
    ):  # fmt: skip
        with pytest.raises(InputError, match="Attendance 3 of 101"):
            fit(ReturnKind.BG, [once, once, wrong, *[once] * 98])
