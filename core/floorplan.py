"""Stores, their zones and anchors: the fixed world that signals are read against.

The JSON form is the contract of `sojourn replay --floorplan`; names, outlines and sizes are optional and only
drawn. Indices of zones and anchors are their places in the plan.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias
from zoneinfo import available_timezones

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import FloorPlanError
from core.limits import ANCHORS_PER_STORE, ID_CHARACTERS, STORES_PER_PLAN, ZONES_PER_STORE

ID_PATTERN: Final = rf"^[A-Za-z0-9][A-Za-z0-9._:-]{{0,{ID_CHARACTERS - 1}}}$"
"""Ids stand in MQTT topics and URLs: no slash, no wildcard, no blank."""
_Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]

PLACE_MOST_M: Final = 20_000_000.0
"""Half around the Earth: nothing is farther. Map coordinates (UTM, up to 10,000 km) stay below it, and squares of it
are far from where floats end."""
FLOOR_MOST: Final = 32_767
"""Floors are kept in 16 bits; the highest building has 163."""
TWICE_HINT: Final = "Readers take the last of them: leave one."

Wall: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""A straight piece of wall from one point to another, metres."""

ZoneKind = Literal["entrance", "department", "shelf", "fitting_room", "checkout", "service", "staff_only"]
ZONE_KINDS: Final = frozenset(ZoneKind.__args__)  # type: ignore[attr-defined]  # typing hides Literal's values


class Zone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named area of a store.

    `outline` is a polygon in metres: for drawing, for simulators, for the first guess of how anchors are heard in it.
    `parent` names the zone that this one lies in (a shelf in a department).
    """

    id: str
    kind: str = "department"
    name: str | None = None
    parent: str | None = None
    outline: tuple[tuple[float, float], ...] | None = None

    @property
    def label(self) -> str:
        """What people read."""
        return self.name if self.name is not None else self.id


class Anchor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fixed point with a known place: a gateway that hears tags or a beacon that phones hear.

    `zone` is the zone it stands in; `covers` lists further zones it serves just as well.
    """

    id: str
    zone: str
    x: float | None = None
    y: float | None = None
    floor: int | None = None
    covers: tuple[str, ...] = ()


class StorePlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One store. Made by `load`, which checks it; `walls` are for drawing and for simulators."""

    id: str
    timezone: str
    zones: tuple[Zone, ...]
    anchors: tuple[Anchor, ...]
    adjacent: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    walls: tuple[Wall, ...] = ()

    @property
    def label(self) -> str:
        """What people read."""
        return self.name if self.name is not None else self.id

    @cached_property
    def zone_index(self) -> dict[str, int]:
        """Zone id to its place in `zones`."""
        return {zone.id: place for place, zone in enumerate(self.zones)}

    @cached_property
    def around(self) -> tuple[tuple[int, ...], ...]:
        """By zone: the zones that it lies in, as places in `zones`, innermost first."""
        found = []
        for zone in self.zones:
            outer: list[int] = []
            above = zone.parent
            while above is not None:
                outer.append(self.zone_index[above])
                above = self.zones[outer[-1]].parent
            found.append(tuple(outer))
        return tuple(found)

    @cached_property
    def anchor_index(self) -> dict[str, int]:
        """Anchor id to its place in `anchors`."""
        return {anchor.id: place for place, anchor in enumerate(self.anchors)}

    @cached_property
    def coverage(self) -> NDArray[np.bool_]:
        """Which zones each anchor stands for: bool, shape (zones, anchors)."""
        covered = np.zeros((len(self.zones), len(self.anchors)), np.bool_)
        for place, anchor in enumerate(self.anchors):
            for zone in (anchor.zone, *anchor.covers):
                covered[self.zone_index[zone], place] = True
        return covered

    @cached_property
    def adjacency(self) -> NDArray[np.bool_] | None:
        """Symmetric bool, shape (zones, zones), or None where the plan names no neighbours."""
        if not self.adjacent:
            return None
        near = np.eye(len(self.zones), dtype=np.bool_)
        for one, other in self.adjacent:
            near[self.zone_index[one], self.zone_index[other]] = True
            near[self.zone_index[other], self.zone_index[one]] = True
        return near


class FloorPlan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All stores of a plan file."""

    stores: tuple[StorePlan, ...]

    @cached_property
    def store_index(self) -> dict[str, int]:
        """Store id to its place in `stores`."""
        return {store.id: place for place, store in enumerate(self.stores)}


class Flaw(NamedTuple):
    """Something wrong with a plan: where (keys and places from its top), what, and what to do."""

    path: tuple[str | int, ...]
    what: str
    hint: str = ""


def load(data: bytes | str) -> FloorPlan:
    """Read and check a floor plan.

    Parameters
    ----------
    data : bytes or str
        JSON as in the contract.

    Returns
    -------
    FloorPlan

    Raises
    ------
    FloorPlanError
        Saying which store, zone or anchor is wrong and what is expected.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data  # msgspec passes over fields that nobody reads
        plan = msgspec.json.decode(text, type=FloorPlan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = "`sojourn floorplan check PLAN` names everything that is wrong, by line."
        if "zone" in str(error) and "anchors" in str(error):
            hint = "Every anchor names the zone it stands in."
        raise FloorPlanError(f"The floor plan cannot be read: {error}.", hint=hint) from error
    if not plan.stores:
        raise FloorPlanError("The floor plan has no store.", hint='List at least one under "stores".')
    if len(plan.stores) > STORES_PER_PLAN:
        raise FloorPlanError(
            f"A floor plan holds at most {STORES_PER_PLAN} stores, this one {len(plan.stores)}.",
            hint="Make several plans of it.",
        )
    _refuse_doubled(text)
    for flaw in twice(("stores",), [store.id for store in plan.stores], "store"):
        raise FloorPlanError(flaw.what, hint=flaw.hint, where="floor plan")
    for store in plan.stores:
        _check_store(store)
    return plan


def _refuse_doubled(text: str) -> None:
    """Refuse a key that an object has twice: the reader takes the last, a person who wrote both meant one of them."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            key = next(key for key in made if keys.count(key) > 1)
            raise FloorPlanError(twice_named(key), hint=TWICE_HINT, where="floor plan")
        return made

    json.loads(text, object_pairs_hook=once)


def twice_named(key: str) -> str:
    """Return what is said of a key that stands twice in one object."""
    return f"The field {key!r} stands there twice."


def load_store(data: bytes | str) -> StorePlan:
    """Read one store as `dump_store` wrote it; errors as in `load`."""
    try:
        store = msgspec.json.decode(data, type=StorePlan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FloorPlanError(f"The store plan cannot be read: {error}.") from error
    _check_store(store)
    return store


def dump_store(store: StorePlan) -> bytes:
    """Return one store as JSON with its keys in a fixed order."""
    return msgspec.json.encode(store, order="sorted")


@cache
def timezones() -> frozenset[str]:
    """Return the names of all time zones: looking through them takes a tenth of a second, which a chain has often.

    Those of a machine's own files are left out: they mean another place on another machine, or none.
    """
    return frozenset(available_timezones()) - {"Factory", "localtime", "posixrules"}


def flaws(store: StorePlan) -> Iterator[Flaw]:
    """Yield everything that is wrong with a store of the right form."""
    yield from _id_flaws(store.id, "store", ("id",))
    if store.timezone not in timezones():
        yield Flaw(
            ("timezone",), f"{store.timezone!r} is not a time zone.", "Use an IANA name such as Europe/Berlin."
        )
    for name, count, most in (
        ("zones", len(store.zones), ZONES_PER_STORE),
        ("anchors", len(store.anchors), ANCHORS_PER_STORE),
    ):
        if not 1 <= count <= most:
            yield Flaw((name,), f"A store has 1 to {most} {name}, this one {count}.")
    yield from twice(("zones",), [zone.id for zone in store.zones], "zone")
    yield from twice(("anchors",), [anchor.id for anchor in store.anchors], "anchor")
    for place, zone in enumerate(store.zones):
        yield from _zone_flaws(zone, ("zones", place), store)
    for place, wall in enumerate(store.walls):
        yield from _far_flaws(wall, ("walls", place))
    for place, anchor in enumerate(store.anchors):
        yield from _id_flaws(anchor.id, "anchor", ("anchors", place, "id"))
        yield from _anchor_place_flaws(anchor, ("anchors", place))
        yield from _unknown_zone(anchor.zone, f"Anchor {anchor.id!r}", ("anchors", place, "zone"), store)
        for number, named in enumerate(anchor.covers):
            yield from _unknown_zone(named, f"Anchor {anchor.id!r}", ("anchors", place, "covers", number), store)
    for place, pair in enumerate(store.adjacent):
        for number, named in enumerate(pair):
            who = f"The adjacent pair {list(pair)}"
            yield from _unknown_zone(named, who, ("adjacent", place, number), store)


def twice(where: tuple[str | int, ...], names: Sequence[str], what: str) -> Iterator[Flaw]:
    """Yield a flaw for every id of a list that stood there before."""
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            yield Flaw((*where, place, "id"), f"The {what} id {name!r} stands there twice.", "Ids are unique.")
        seen.add(name)


def _check_store(store: StorePlan) -> None:
    for flaw in flaws(store):
        where = "floor plan" if flaw.path == ("id",) else f"store {store.id!r}"
        raise FloorPlanError(flaw.what, hint=flaw.hint, where=where)


def _zone_flaws(zone: Zone, where: tuple[str | int, ...], store: StorePlan) -> Iterator[Flaw]:
    yield from _id_flaws(zone.id, "zone", (*where, "id"))
    if zone.kind not in ZONE_KINDS:
        yield Flaw(
            (*where, "kind"),
            f"Zone {zone.id!r} is of the unknown kind {zone.kind!r}.",
            f"Use one of {', '.join(sorted(ZONE_KINDS))}.",
        )
    yield from _far_flaws(zone.outline or (), (*where, "outline"))
    if zone.parent is None:
        return
    yield from _unknown_zone(zone.parent, f"Zone {zone.id!r}", (*where, "parent"), store)
    parents = {inner.id: inner.parent for inner in store.zones}
    above: str | None = zone.parent
    for _ in store.zones:
        if above is None or above == zone.id:
            break
        above = parents.get(above)
    if above is not None:
        yield Flaw((*where, "parent"), f"Zone {zone.id!r} lies within itself.", "Mend its parent.")


def _anchor_place_flaws(anchor: Anchor, where: tuple[str | int, ...]) -> Iterator[Flaw]:
    for axis, number in (("x", anchor.x), ("y", anchor.y)):
        if number is not None:
            yield from _far_flaw(number, (*where, axis))
    if anchor.floor is not None and abs(anchor.floor) > FLOOR_MOST:
        yield Flaw(
            (*where, "floor"), f"There is no floor {anchor.floor:.6g}.", f"Floors are -{FLOOR_MOST} to {FLOOR_MOST}."
        )


def _far_flaws(points: Sequence[tuple[float, float]], where: tuple[str | int, ...]) -> Iterator[Flaw]:
    for place, point in enumerate(points):
        for axis, number in enumerate(point):
            yield from _far_flaw(number, (*where, place, axis))


def _far_flaw(number: float, where: tuple[str | int, ...]) -> Iterator[Flaw]:
    if abs(number) > PLACE_MOST_M:
        hint = f"Plans are in metres, and nothing on Earth is more than {PLACE_MOST_M:,.0f} m away."
        yield Flaw(where, f"{number:.6g} m is no place.", hint)


def _unknown_zone(zone: str, who: str, where: tuple[str | int, ...], store: StorePlan) -> Iterator[Flaw]:
    if zone not in store.zone_index:
        yield Flaw(where, f"{who} names the unknown zone {zone!r}.", "Add that zone or mend the name.")


def _id_flaws(name: str, what: str, where: tuple[str | int, ...]) -> Iterator[Flaw]:
    try:
        msgspec.convert(name, _Id)
    except msgspec.ValidationError:
        yield Flaw(
            where,
            f"{name!r} cannot be the id of {'an' if what == 'anchor' else 'a'} {what}.",
            f"Ids have 1 to {ID_CHARACTERS} letters, digits, dots, colons, dashes or underscores.",
        )
