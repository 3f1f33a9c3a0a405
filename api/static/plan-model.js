// A floor plan while it is drawn: zones, walls and anchors in metres, what is selected, and steps to take back. No page here.

const STEPS = 100; // nobody takes back more
const SNAP_M = 0.3; // edges nearer than this are meant to be one
const SIZE = [4, 3]; // metres of a zone, or a wall, that was added without drawing

export const tenth = (metres) => Math.round(metres * 10) / 10;

export class Plan {
  constructor() {
    this.store = { id: "", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC", zones: [], anchors: [] };
    this.chosen = null; // { kind: "zone", "anchor" or "wall", place, corner? }; the corners of a wall are its ends
    this.width = 30; // metres to the right of 0
    this.left = 0; // plans of others may begin left of or above 0
    this.top = 0;
    this.ratio = 2 / 3; // height by width
    this.before = [];
    this.changed = () => {};
  }

  get height() { return this.width * this.ratio; }

  load(store) {
    this.store = store;
    const [left, top, right, bottom] = this.extent();
    this.left = Math.floor(Math.min(left, 0));
    this.top = Math.floor(Math.min(top, 0));
    this.width = Math.max(1, Math.ceil(right));
    this.ratio = Math.max(0.2, Math.ceil(bottom) / this.width) || 2 / 3;
    this.before = [];
    this.choose(null);
  }

  // The corners of everything that is drawn: left, top, right, bottom.
  extent() {
    const points = [...this.store.zones.flatMap((zone) => zone.outline ?? []), ...this.things("wall").flat()];
    for (const { x, y } of this.store.anchors) if (x !== undefined && y !== undefined) points.push([x, y]);
    if (!points.length) return [0, 0, 30, 20];
    const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  text() {
    return `${JSON.stringify({ stores: [this.store] }, null, 1).replace(/\[\s+(-?[\d.]+),\s+(-?[\d.]+)\s+\]/g, "[$1, $2]")}\n`;
  }

  // Do something that can be taken back.
  change(what) {
    const was = JSON.stringify(this.store);
    what(this.store);
    if (JSON.stringify(this.store) === was) return;
    this.before.push(was);
    if (this.before.length > STEPS) this.before.shift();
    this.changed();
  }

  // Many small moves of one drag are one step: `mark` before, `moved` while, `settle` after.
  mark() { this.marked = JSON.stringify(this.store); }
  moved() { this.changed(); }
  settle() {
    if (this.marked !== undefined && this.marked !== JSON.stringify(this.store)) this.before.push(this.marked);
    this.marked = undefined;
    this.changed();
  }

  // Leave a drag as if it had not begun.
  abandon() {
    if (this.marked !== undefined) this.store = JSON.parse(this.marked);
    this.marked = undefined;
    this.changed();
  }

  undo() {
    if (!this.before.length) return;
    this.store = JSON.parse(this.before.pop());
    if (!this.thing()) this.chosen = null;
    this.changed();
  }

  choose(chosen) {
    this.chosen = chosen;
    this.changed();
  }

  things(kind) {
    return { zone: this.store.zones, anchor: this.store.anchors, wall: this.store.walls ?? [] }[kind];
  }

  thing(chosen = this.chosen) {
    return chosen && this.things(chosen.kind)[chosen.place];
  }

  freeId(prefix, things, digits = 1) {
    for (let number = things.length + 1; ; number += 1) {
      const id = `${prefix}${String(number).padStart(digits, "0")}`;
      if (!things.some((thing) => thing.id === id)) return id;
    }
  }

  addZone(outline) {
    const [x, y] = [this.width / 2 - SIZE[0] / 2, this.height / 2 - SIZE[1] / 2].map(tenth);
    const corners = outline ?? rectangle([x, y], [x + SIZE[0], y + SIZE[1]]);
    const id = this.freeId("zone-", this.store.zones);
    this.change((store) => store.zones.push({ id, kind: "department", outline: corners }));
    this.choose({ kind: "zone", place: this.store.zones.length - 1 });
  }

  addAnchor(point) {
    if (!this.store.zones.length) return false;
    const chosen = this.thing();
    const zone = point ? this.zoneAt(point) : (chosen?.outline ? chosen : this.store.zones[0]);
    const [x, y] = (point ?? (zone?.outline ? middle(zone.outline) : [this.width / 2, this.height / 2])).map(tenth);
    const id = this.freeId("a", this.store.anchors, 2);
    this.change((store) => store.anchors.push({ id, zone: (zone ?? this.store.zones[0]).id, x, y, floor: 0 }));
    this.choose({ kind: "anchor", place: this.store.anchors.length - 1 });
    return true;
  }

  addWall(from, to) {
    const [x, y] = [this.left + this.width, this.top + this.height].map((end) => tenth(end / 2));
    const wall = from ? [from, to] : [[tenth(x - SIZE[0] / 2), y], [tenth(x + SIZE[0] / 2), y]];
    this.change((store) => { store.walls = [...(store.walls ?? []), wall]; });
    this.choose({ kind: "wall", place: this.store.walls.length - 1 });
  }

  addCorner() {
    const { outline } = this.thing();
    const lengths = outline.map(([x, y], at) => Math.hypot(outline[(at + 1) % outline.length][0] - x, outline[(at + 1) % outline.length][1] - y));
    const at = lengths.indexOf(Math.max(...lengths)), [one, other] = [outline[at], outline[(at + 1) % outline.length]];
    this.change(() => outline.splice(at + 1, 0, [tenth((one[0] + other[0]) / 2), tenth((one[1] + other[1]) / 2)]));
    this.choose({ ...this.chosen, corner: at + 1 });
  }

  // Remove what is selected: a corner, a zone with what names it, a wall, or an anchor.
  remove() {
    const { kind, place, corner } = this.chosen, thing = this.thing();
    if (kind === "zone" && corner !== undefined && thing.outline.length > 3) {
      this.change(() => thing.outline.splice(corner, 1));
      this.choose({ kind, place });
      return;
    }
    this.change((store) => {
      this.things(kind).splice(place, 1);
      if (kind === "wall" && !store.walls.length) delete store.walls;
      if (kind !== "zone") return;
      store.anchors = store.anchors.filter((anchor) => anchor.zone !== thing.id);
      for (const anchor of store.anchors) if (anchor.covers) anchor.covers = anchor.covers.filter((zone) => zone !== thing.id);
      if (store.adjacent) store.adjacent = store.adjacent.filter((pair) => !pair.includes(thing.id));
      for (const zone of store.zones) if (zone.parent === thing.id) delete zone.parent;
    });
    this.choose(null);
  }

  // Give a zone another id, everywhere.
  rename(from, to) {
    const called = (zone) => (zone === from ? to : zone);
    const { zones, anchors, adjacent } = this.store;
    for (const zone of zones) {
      zone.id = called(zone.id);
      if (zone.parent) zone.parent = called(zone.parent);
    }
    for (const anchor of anchors) {
      anchor.zone = called(anchor.zone);
      if (anchor.covers) anchor.covers = anchor.covers.map(called);
    }
    if (adjacent) this.store.adjacent = adjacent.map((pair) => pair.map(called));
  }

  // Move what is selected from where it was (`thing` before) by some metres.
  shift(was, across, down) {
    const thing = this.thing(), { corner } = this.chosen;
    const move = ([x, y]) => [tenth(x + across), tenth(y + down)];
    if (this.chosen.kind === "wall") for (const end of corner === undefined ? [0, 1] : [corner]) thing[end] = move(was[end]);
    else if (corner !== undefined) thing.outline[corner] = move(was.outline[corner]);
    else if (thing.outline) thing.outline = was.outline.map(move);
    else [thing.x, thing.y] = move([was.x ?? 0, was.y ?? 0]);
  }

  // Put a point onto edges of other zones and ends of other walls where it nearly is.
  snap([x, y], except) {
    const other = (kind) => this.things(kind).filter((_, place) => kind !== except?.kind || place !== except.place);
    const others = [...other("zone").flatMap((zone) => zone.outline ?? []), ...other("wall").flat()];
    const near = (value, axis) => {
      const found = others.map((point) => point[axis]).sort((a, b) => Math.abs(a - value) - Math.abs(b - value))[0];
      return found !== undefined && Math.abs(found - value) < SNAP_M ? found : tenth(value);
    };
    return [near(x, 0), near(y, 1)];
  }

  zoneAt(point) {
    return this.store.zones.filter((zone) => zone.outline && inside(point, zone.outline)).at(-1);
  }
}

// The corners of a zone, or the ends of a wall; an anchor has neither.
export const corners = (thing) => (Array.isArray(thing) ? thing : thing.outline);

// The end of a wall from `from`, level or upright where it nearly is.
export const straight = (from, to) => to.map((value, axis) => (Math.abs(value - from[axis]) < SNAP_M ? from[axis] : value));

export const wallLength = ([[x1, y1], [x2, y2]]) => Math.hypot(x2 - x1, y2 - y1);

export const rectangle = ([x1, y1], [x2, y2]) => [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];

export function middle(outline) {
  const sum = outline.reduce(([x, y], point) => [x + point[0], y + point[1]], [0, 0]);
  return [sum[0] / outline.length, sum[1] / outline.length];
}

function inside([x, y], outline) {
  return outline.reduce((odd, [ax, ay], at) => {
    const [bx, by] = outline[(at + 1) % outline.length];
    return (ay > y) !== (by > y) && x < ax + ((y - ay) / (by - ay)) * (bx - ax) ? !odd : odd;
  }, false);
}
