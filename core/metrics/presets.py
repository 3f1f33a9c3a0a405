"""The thresholds that other products publish, so that their numbers can be told for the same day beside each other.

What a product measures by signal strength cannot be told from visits: a visit says where somebody was, not how loud.
`leaves_out` names that.
"""

from typing import Final

import msgspec

from core.errors import InputError
from core.metrics.formulas import VISIT_S, Formula

_MINUTE: Final = 60
_HOUR: Final = 3600


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """A class of visits by dwell: at least `from_s`, below the next band's."""

    title: str
    from_s: int


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """One product's definitions: values for parameters of formulas, and its bands of dwell."""

    id: str
    title: str
    says: str
    leaves_out: str
    source: str
    """Where these thresholds were read, or that they could not be."""
    parameters: dict[str, int]
    """Thresholds that it publishes; `visit_s` is of visits to the store, not of stays in a zone."""
    bands: tuple[Band, ...]


PRESETS: Final = {
    preset.id: preset
    for preset in (
        Preset(
            id="sojourn",
            title="Sojourn",
            says="Every visit that the dwell engine decided; engaged from 30 s in a zone, a bounce below 3 min.",
            leaves_out="",
            source="core/metrics/formulas.py, each with its reason",
            parameters={},
            bands=(
                Band(title="Bounce", from_s=0),
                Band(title="Visit", from_s=3 * _MINUTE),
                Band(title="Long visit", from_s=20 * _MINUTE),
            ),
        ),
        Preset(
            id="aruba",
            title="Aruba",
            says="A visitor is heard above -65 dBm and for at least 5 min; others pass by.",
            leaves_out="The level of -65 dBm: the dwell engine has decided who was inside.",
            source=(
                "Taken from a summary; no public document that states them was found, so check against "
                "your own installation."
            ),
            parameters={"visit_s": 5 * _MINUTE, "capture_s": 5 * _MINUTE},
            bands=(Band(title="Passer-by", from_s=0), Band(title="Visitor", from_s=5 * _MINUTE)),
        ),
        Preset(
            id="mist",
            title="Mist",
            says="Four bands: bounced from 1 min, engaged from 5 min, stationed from 30 min, assets from 8 h.",
            leaves_out="Its bands can be set per site; these are the ones assumed here.",
            source=(
                "Taken from a summary; no public document that states them was found, so check against your own site."
            ),
            parameters={
                "visit_s": _MINUTE,
                "bounce_s": 5 * _MINUTE,
                "engage_s": 5 * _MINUTE,
                "capture_s": 5 * _MINUTE,
            },
            bands=(
                Band(title="Not counted", from_s=0),
                Band(title="Bounced", from_s=_MINUTE),
                Band(title="Engaged", from_s=5 * _MINUTE),
                Band(title="Stationed", from_s=30 * _MINUTE),
                Band(title="Assets", from_s=8 * _HOUR),
            ),
        ),
        Preset(
            id="purple",
            title="Purple",
            says="Not engaged up to 3 min, fully engaged from 15 min, partially in between.",
            leaves_out="",
            source="support.purple.ai, Behavioral Analytics, engagement settings: defaults of 3 and 15 minutes.",
            parameters={"bounce_s": 3 * _MINUTE, "engage_s": 15 * _MINUTE, "capture_s": 3 * _MINUTE},
            bands=(
                Band(title="Not engaged", from_s=0),
                Band(title="Partially engaged", from_s=3 * _MINUTE),
                Band(title="Fully engaged", from_s=15 * _MINUTE),
            ),
        ),
        Preset(
            id="cloud4wi",
            title="Cloud4Wi",
            says="A visit lasts at least 5 min; a session ends after 15 min of silence.",
            leaves_out="The session of 15 min: the dwell engine closes visits, sooner where signals say so.",
            source=(
                "cloud4wi.zendesk.com, Settings options, calibration and filtering: a session ends "
                "after 15 minutes by default, a visit needs 2 to 30 minutes as set; 5 minutes is taken "
                "from a summary."
            ),
            parameters={"visit_s": 5 * _MINUTE, "capture_s": 5 * _MINUTE},
            bands=(Band(title="Passer-by", from_s=0), Band(title="Visit", from_s=5 * _MINUTE)),
        ),
        Preset(
            id="palexy",
            title="Palexy",
            says="A visit to the store lasts at least 60 s; a zone engages from 30 s.",
            leaves_out="It counts people in pictures, everybody; here only who carries app or tag.",
            source="Taken from a summary; no public document that states them was found.",
            parameters={"visit_s": _MINUTE, "engage_s": 30, "capture_s": _MINUTE},
            bands=(Band(title="Not counted", from_s=0), Band(title="Visit", from_s=_MINUTE)),
        ),
    )
}
"""Every preset by its id."""


def find(preset: str) -> Preset:
    """Return a preset.

    Raises
    ------
    InputError
        If there is none of this id.
    """
    found = PRESETS.get(preset)
    if found is None:
        raise InputError(
            f"There is no preset {preset[:64]!r}.", hint=f"There are {', '.join(PRESETS)}.", where="preset"
        )
    return found


def parameters_of(preset: Preset, formula: Formula, *, of_zone: bool) -> dict[str, int]:
    """Return the values that a preset has for the thresholds of a formula.

    Raises
    ------
    InputError
        If the product does not define this figure, so that the preset would say nothing of it or the absurd: who
        counts visits from 5 min alone has no bounce of 3 min.
    """
    if not preset.parameters:  # our own: the defaults
        return {}
    names = [parameter.id for parameter in formula.parameters if not (of_zone and parameter is VISIT_S)]
    found = {name: preset.parameters[name] for name in names if name in preset.parameters}
    # the first is what the formula is about; who publishes no least visit counts every one
    is_defined = names[:1] and (names[0] in found or names[0] == VISIT_S.id)
    least_s = found.get(VISIT_S.id, 0)
    if not is_defined or any(value <= least_s for name, value in found.items() if name != VISIT_S.id):
        raise InputError(
            f"{preset.title} does not define {formula.id}{' of a zone' if of_zone else ''}.",
            hint="Leave `preset` out; GET /v1/stores/{store}/presets has what each product defines.",
            where="preset",
        )
    return found


def defines(preset: Preset, formula: Formula) -> bool:
    """Return whether a product defines a figure of the whole store."""
    try:
        parameters_of(preset, formula, of_zone=False)
    except InputError:
        return False
    return True
