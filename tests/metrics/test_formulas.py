"""The registry: every formula is whole, every preset fits."""

import pytest

from core.errors import InputError
from core.metrics.bins import threshold_bin
from core.metrics.cells import Counted, merged
from core.metrics.formulas import FORMULAS, PARAMETERS, find, settled
from core.metrics.presets import PRESETS


def test_every_formula_says_what_it_is() -> None:
    for name, formula in FORMULAS.items():
        assert formula.id == name
        assert formula.says.endswith("."), name
        assert formula.code, name
        assert (formula.reckon is not None) == (formula.shape == "cell"), name
        assert (formula.compare is not None) == (formula.shape == "ratio"), name
        for parameter in formula.parameters:
            assert PARAMETERS[parameter.id] is parameter
            assert parameter.reason.endswith(".")
            assert parameter.id in formula.says, (name, parameter.id)
            threshold_bin(parameter.default_s)


def test_every_preset_names_parameters_and_thresholds_that_can_be_counted() -> None:
    for preset in PRESETS.values():
        assert set(preset.parameters) <= set(PARAMETERS)
        for threshold_s in (*preset.parameters.values(), *(band.from_s for band in preset.bands)):
            threshold_bin(threshold_s)
        assert preset.bands[0].from_s == 0


def test_values_of_a_cell() -> None:
    # 20 visits of 10 s, 60 s and 600 s each
    cell = merged([Counted(20, 11, 20 * 10_000, [10], [20]), Counted(40, 30, 20 * 660_000, [60, 128], [20, 20])])
    assert cell.counts[128] == 20
    values = {
        name: FORMULAS[name].reckon(cell, settled(FORMULAS[name], {}))  # type: ignore[misc]  # has one
        for name in ("footfall", "people", "bounce", "engaged", "capture_dwell", "dwell_mean", "dwell_median")
    }
    assert values["footfall"] == 60
    assert values["people"] == 41
    assert values["bounce"] == pytest.approx(40 / 60)
    assert values["engaged"] == pytest.approx(40 / 60)
    assert values["capture_dwell"] == pytest.approx(20 / 60)
    assert values["dwell_mean"] == pytest.approx(20 * 670 / 60)
    assert values["dwell_median"] == pytest.approx(60, abs=5)


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    with pytest.raises(InputError, match="There are footfall"):
        find("footfal")
    with pytest.raises(InputError, match="It has bounce_s"):
        settled(find("bounce"), {"engage_s": 30})
    with pytest.raises(InputError, match="Take 60 or 65"):
        settled(find("bounce"), {"bounce_s": 61})
