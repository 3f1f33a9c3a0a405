"""Everything that is wrong with the text of a floor plan, each with its line and column."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from core.floorplan import TWICE_HINT, Anchor, Flaw, FloorPlan, StorePlan, Wall, Zone, flaws, twice, twice_named
from core.floorplan_shapes import Point, inside, is_point, nested, outline_flaws, pair_flaws, wall_flaws
from core.json_places import Place, Places, place_of
from core.limits import STORES_PER_PLAN

FINDINGS_MOST: Final = 200
"""Nobody mends more in one go."""
_BEYOND_M: Final = 1.0
"""An anchor may hang on the far side of a wall or stand in a doorway."""
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_AT: Final = re.compile(r" - at `\$?([^`]*)`$")
_WORDS: Final = {
    "int": "a whole number", "float": "a number", "str": "a text", "null": "nothing", "bool": "true or false",
    "array": "a list", "object": "an object",
}  # fmt: skip
"""The decoder's kinds, for people."""
_KIND: Final = re.compile(f"`((?:{'|'.join(_WORDS)})(?: \\| (?:{'|'.join(_WORDS)}))*)`")
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Finding(NamedTuple):
    """One thing that is wrong (`grave`: the plan cannot be used) or odd."""

    place: Place
    grave: bool
    what: str
    hint: str

    def __str__(self) -> str:
        kind = "error" if self.grave else "warning"
        return f"{self.place.line}:{self.place.column}: {kind}: {self.what} {self.hint}".rstrip()


def check_text(data: bytes) -> list[Finding]:
    """Check the text of a floor plan.

    Parameters
    ----------
    data : bytes
        JSON, UTF-8.

    Returns
    -------
    list of Finding
        At most FINDINGS_MOST, in the order of the text; empty where nothing is wrong.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(errors="replace")
        return [Finding(place_of(before, len(before)), True, "This is not UTF-8.", "Save the file as UTF-8.")]
    try:
        raw = json.loads(text)
        places = Places(text)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        return [Finding(place, True, f"This is not JSON: {error.msg}.", "Look at this place and just before it.")]
    except (RecursionError, ValueError) as error:
        return [Finding(Place(1, 1), True, f"The text cannot be read: {error}.", "Write it anew.")]
    endless: list[Flaw] = []
    raw = _finite(raw, (), endless)
    found = [Finding(place, True, twice_named(key), TWICE_HINT) for key, place in places.doubled]
    found += [Finding(places.of(flaw.path), True, flaw.what, flaw.hint) for flaw in endless]
    found += [Finding(places.of(flaw.path), True, flaw.what, flaw.hint) for flaw in _grave(raw)]
    found += [Finding(places.of(flaw.path), False, flaw.what, flaw.hint) for flaw in _odd(raw)]
    return sorted(found)[:FINDINGS_MOST]


def _finite(raw: Any, path: tuple[str | int, ...], endless: list[Flaw]) -> Any:
    """Return what was read with 0 for NaN and numbers without bound, which go to `endless`."""
    if isinstance(raw, float) and not math.isfinite(raw):
        endless.append(Flaw(path, f"{raw} is no number.", "Write a finite one, or leave the field out."))
        return 0.0
    if isinstance(raw, dict):
        return {key: _finite(value, (*path, key), endless) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_finite(value, (*path, place), endless) for place, value in enumerate(raw)]
    return raw


def _grave(raw: Any) -> Iterator[Flaw]:
    stores = raw.get("stores") if isinstance(raw, dict) else None
    if not isinstance(stores, list):
        yield Flaw((), "A floor plan is an object with a list of stores.", 'Write {"stores": [...]}.')
        return
    if not 1 <= len(stores) <= STORES_PER_PLAN:
        yield Flaw(("stores",), f"A floor plan has 1 to {STORES_PER_PLAN} stores, this one {len(stores)}.")
    named = [store.get("id") if isinstance(store, dict) else None for store in stores]
    yield from twice(
        ("stores",), [name if isinstance(name, str) else f"\0{n}" for n, name in enumerate(named)], "store"
    )
    for number, store in enumerate(stores):
        for flaw in _store(store):
            yield flaw._replace(path=("stores", number, *flaw.path))


def _store(raw: Any) -> Iterator[Flaw]:
    """Yield what is wrong with a store: first the form of each zone and anchor, then what they say."""
    if not isinstance(raw, dict):
        yield Flaw(
            (), "A store is an object.", 'Write {"id": ..., "timezone": ..., "zones": [...], "anchors": [...]}.'
        )
        return
    whole = dict(raw)
    for key, kind in (("zones", Zone), ("anchors", Anchor)):
        parts = raw.get(key)
        if not isinstance(parts, list):
            continue
        sound: list[Any] = []
        for number, part in enumerate(parts):
            kept, found = _without_what_is_wrong(part, kind)
            sound.append(kept)
            for flaw in found:
                yield flaw._replace(path=(key, number, *flaw.path))
        whole[key] = sound
    kept_of = {}
    for part_key, form in (("adjacent", tuple[str, str]), ("walls", Wall)):
        if isinstance(raw.get(part_key), list):
            kept_of[part_key], found = _sound(raw[part_key], form)
            yield from (flaw._replace(path=(part_key, *flaw.path)) for flaw in found)
            whole[part_key] = [raw[part_key][number] for number in kept_of[part_key]]
    if any(part is None for key in ("zones", "anchors") for part in whole.get(key) or ()):
        return  # what names it cannot be judged without it
    kept, found = _without_what_is_wrong(whole, StorePlan)
    yield from found
    if kept is not None:
        for flaw in flaws(msgspec.convert(kept, StorePlan)):
            first, *rest = flaw.path
            if first in kept_of and rest:  # where it stands among all, those of a wrong form too
                rest[0] = kept_of[str(first)][int(rest[0])]
            yield flaw._replace(path=(first, *rest))


def _sound(parts: list[Any], form: Any) -> tuple[list[int], list[Flaw]]:
    """Return which parts of a list have the right form, and what is wrong with the others."""
    kept: list[int] = []
    found: list[Flaw] = []
    for number, part in enumerate(parts):
        flaw = _form(part, form)
        if flaw is None:
            kept.append(number)
        else:
            found.append(flaw._replace(path=(number, *flaw.path)))
    return kept, found


def _without_what_is_wrong(raw: Any, kind: type[_Struct]) -> tuple[Any, list[Flaw]]:
    """Return a part of a plan without its fields that have the wrong form, and those; None where nothing is left."""
    found: list[Flaw] = []
    while True:
        flaw = _form(raw, kind)
        if flaw is None:
            return raw, found
        found.append(flaw)
        needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
        if not flaw.path or not isinstance(raw, dict) or flaw.path[0] in needed or flaw.path[0] not in raw:
            return None, found
        raw = {key: value for key, value in raw.items() if key != flaw.path[0]}


def _form(raw: Any, kind: Any) -> Flaw | None:
    """Return the first thing that has the wrong form, None where there is nothing."""
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        said = str(error)
        at = _AT.search(said)
        path = tuple(key or int(place) for key, place in _STEP.findall(at[1])) if at else ()
        what = said[: at.start()] if at else said
        hint = "Every anchor names the zone it stands in." if kind is Anchor and "`zone`" in what else ""
        return Flaw(path, f"{_KIND.sub(_in_words, what).replace('`', chr(39))}.", hint)
    return None


def _in_words(found: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(word, word) for word in found[1].split(" | "))


def _odd(raw: Any) -> Iterator[Flaw]:
    """Yield what a plan may hold but hardly means: fields nobody reads, anchors far outside of their zone."""
    if not isinstance(raw, dict):
        return
    yield from _unknown_fields(raw, FloorPlan, ())
    stores = raw.get("stores")
    for number, store in enumerate(stores if isinstance(stores, list) else ()):
        if not isinstance(store, dict):
            continue
        where: tuple[str | int, ...] = ("stores", number)
        yield from _unknown_fields(store, StorePlan, where)
        for key, kind in (("zones", Zone), ("anchors", Anchor)):
            for place, part in enumerate(_dicts(store.get(key))):
                yield from _unknown_fields(part, kind, (*where, key, place))
        yield from _misplaced(store, where)


def _unknown_fields(
    raw: Mapping[str, Any], kind: type[msgspec.Struct], where: tuple[str | int, ...]
) -> Iterator[Flaw]:
    known = kind.__struct_fields__
    for name in raw:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"Was {near[0]!r} meant?" if near else f"Known are {', '.join(known)}."
            yield Flaw((*where, name), f"Nobody reads the field {name!r}.", hint)


def _misplaced(store: Mapping[str, Any], where: tuple[str | int, ...]) -> Iterator[Flaw]:
    outlines: dict[str, list[Point]] = {}
    place_of_zone: dict[str, int] = {}
    parents: dict[str, Any] = {}
    for place, zone in enumerate(_dicts(store.get("zones"))):
        outline = zone.get("outline")
        if not isinstance(outline, list) or not all(map(is_point, outline)):
            continue
        corners = [(float(x), float(y)) for x, y in outline]
        yield from outline_flaws(corners, (*where, "zones", place, "outline"))
        if len(set(corners)) >= 3 and isinstance(zone.get("id"), str):
            outlines[zone["id"]], place_of_zone[zone["id"]], parents[zone["id"]] = corners, place, zone.get("parent")
    floors: dict[str, set[Any]] = {}
    for place, anchor in enumerate(_dicts(store.get("anchors"))):
        x, y, within = anchor.get("x"), anchor.get("y"), anchor.get("zone")
        if isinstance(within, str) and isinstance(anchor.get("floor"), int):
            floors.setdefault(within, set()).add(anchor["floor"])
        around = outlines.get(within) if isinstance(within, str) else None
        if x is None or y is None or around is None or not is_point([x, y]) or _near((float(x), float(y)), around):
            continue
        what = f"Anchor {anchor.get('id')!r} stands at {x:g}, {y:g}, outside of its zone {within!r}."
        yield Flaw((*where, "anchors", place), what, "Mend its place or its zone.")
    for inner, outer in nested(outlines, parents, floors):
        what = f"Zone {inner!r} lies within {outer!r}, which it does not name as its parent."
        yield Flaw((*where, "zones", place_of_zone[inner]), what, "Name it, or mend one of the outlines.")
    yield from wall_flaws(store.get("walls"), (*where, "walls"))
    yield from pair_flaws(store.get("adjacent"), (*where, "adjacent"))


def _dicts(parts: Any) -> list[dict[str, Any]]:
    """Return a list's objects; what is none of that is told by its form."""
    return [part if isinstance(part, dict) else {} for part in parts] if isinstance(parts, list) else []


def _near(point: Point, outline: list[Point]) -> bool:
    """Whether a point is inside of an outline or at most _BEYOND_M from its edge."""
    x, y = point
    for (ax, ay), (bx, by) in zip(outline, [*outline[1:], outline[0]], strict=True):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        share = 0.0 if length == 0 else min(max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0.0), 1.0)
        if (ax + share * (bx - ax) - x) ** 2 + (ay + share * (by - ay) - y) ** 2 <= _BEYOND_M**2:
            return True
    return inside(point, outline)
