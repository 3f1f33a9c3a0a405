// Draws a plan as SVG over the picture, and turns pointers and keys on it into changes of the plan.

import { corners, middle, rectangle, straight, tenth, wallLength } from "/static/plan-model.js";
import { View } from "/static/plan-view.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST_M = 0.5; // a smaller zone, or a shorter wall, is a slip of the hand
const TAP_PX = 8; // a finger that moves less meant to tap
const PICTURE_MOST = 2400; // pixels across that are kept of a picture
const LETTER_PX = 11;
const LETTER_WIDE = 0.66; // of its height, in bold
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Board {
  constructor(plan, svg, canvas, say, zoomed) {
    Object.assign(this, { plan, svg, canvas, say, tool: "select", drag: null });
    this.view = new View(svg.parentElement.parentElement, svg.parentElement, () => {
      this.draw(); // letters and handles are as large as before
      zoomed(this.view);
    });
    svg.addEventListener("pointerdown", (event) => this.press(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.release(event));
    svg.addEventListener("pointercancel", (event) => this.cancel(event));
    svg.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("resize", () => this.draw());
    svg.addEventListener("focusin", (event) => {
      const at = this.at(event.target);
      if (at && !this.drawing) this.plan.choose(at);
    });
  }

  async picture(file) {
    const image = await createImageBitmap(file);
    const scale = Math.min(1, PICTURE_MOST / image.width);
    this.canvas.width = Math.round(image.width * scale);
    this.canvas.height = Math.round(image.height * scale);
    this.canvas.getContext("2d").drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
    this.plan.ratio = image.height / image.width;
    this.plan.changed();
  }

  draw() {
    const { plan, svg } = this, { chosen } = plan;
    const width = plan.width - plan.left, height = plan.height - plan.top;
    const focused = document.activeElement?.dataset?.key;
    this.drawing = true;
    svg.setAttribute("viewBox", `${plan.left} ${plan.top} ${width} ${height}`);
    svg.parentElement.style.setProperty("--plan-ratio", width / height);
    this.unit = (width * LETTER_PX) / (svg.clientWidth || 600); // metres of a letter, on every screen
    svg.replaceChildren(
      ...plan.store.zones.flatMap((zone, place) => (zone.outline ? [this.zone(zone, place)] : [])),
      ...plan.things("wall").map((wall, place) => this.wall(wall, place)),
      ...plan.store.anchors.flatMap((anchor, place) => (anchor.x === undefined || anchor.y === undefined ? [] : [this.anchor(anchor, place)])),
    );
    const handles = chosen && plan.thing() && corners(plan.thing());
    if (handles) svg.append(...handles.map((point, corner) => this.corner(point, { ...chosen, corner })));
    if (this.drag?.from && this.drag.to) svg.append(this.draft(this.drag.from, this.drag.to));
    if (focused) svg.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
    this.drawing = false;
  }

  draft(from, to) {
    if (this.tool === "wall") return line([from, to], "plan-editor-draft");
    return shape("polygon", { class: "plan-editor-draft", points: rectangle(from, to).join(" ") });
  }

  wall(wall, place) {
    const picked = this.plan.chosen?.kind === "wall" && this.plan.chosen.place === place;
    const [from, to] = wall.map((end) => end.join(", "));
    const group = this.focusable({ kind: "wall", place }, `Wall from ${from} to ${to}`, `plan-editor-wall${picked ? " picked" : ""}`);
    group.append(line(wall, "plan-editor-reach"), line(wall, "plan-editor-line"));
    return group;
  }

  zone(zone, place) {
    const picked = this.plan.chosen?.kind === "zone" && this.plan.chosen.place === place;
    const kind = (zone.kind ?? "department").replace("_", " ");
    const group = this.focusable({ kind: "zone", place }, `Zone ${zone.name ?? zone.id}, ${kind}`, `plan-editor-zone${picked ? " picked" : ""}`);
    const name = zone.name ?? zone.id, xs = zone.outline.map((point) => point[0]);
    const size = Math.min(this.unit * 1.2, (Math.max(...xs) - Math.min(...xs)) / (name.length * LETTER_WIDE));
    const x = middle(zone.outline)[0], y = Math.min(...zone.outline.map((point) => point[1])) + this.unit * 1.6;
    group.append(
      shape("polygon", { points: zone.outline.join(" ") }),
      shape("text", { x, y, "font-size": size, "text-anchor": "middle" }, name), // at the top: anchors stand in the middle
    );
    return group;
  }

  anchor(anchor, place) {
    const picked = this.plan.chosen?.kind === "anchor" && this.plan.chosen.place === place;
    const group = this.focusable({ kind: "anchor", place }, `Anchor ${anchor.id} in ${anchor.zone}`, `plan-editor-anchor${picked ? " picked" : ""}`);
    const { x, y } = anchor;
    group.append(
      shape("circle", { cx: x, cy: y, r: this.unit * 1.4, class: "plan-editor-reach" }),
      shape("circle", { cx: x, cy: y, r: this.unit * 0.55 }),
      shape("text", { x: x + this.unit * 0.8, y: y - this.unit * 0.6, "font-size": this.unit }, anchor.id),
    );
    return group;
  }

  corner([x, y], at) {
    const group = this.focusable(at, `${at.kind === "wall" ? "End" : "Corner"} ${at.corner + 1} at ${x}, ${y}`, "plan-editor-corner");
    group.append(
      shape("circle", { cx: x, cy: y, r: this.unit * 1.2, class: "plan-editor-reach" }),
      shape("circle", { cx: x, cy: y, r: this.unit * 0.45 }),
    );
    return group;
  }

  focusable(at, label, kind) {
    const key = `${at.kind}-${at.place}${at.corner === undefined ? "" : `-${at.corner}`}`;
    return shape("g", { class: kind, tabindex: 0, role: "button", "aria-label": label, "data-key": key });
  }

  at(target) {
    const key = target.closest?.("[data-key]")?.dataset.key?.split("-");
    if (!key) return null;
    const at = { kind: key[0], place: Number(key[1]) };
    return key[2] === undefined ? at : { ...at, corner: Number(key[2]) };
  }

  point(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return [Math.min(Math.max(at.x, this.plan.left), this.plan.width), Math.min(Math.max(at.y, this.plan.top), this.plan.height)];
  }

  press(event) {
    if (event.button !== 0) return;
    if (this.view.press(event)) this.abandon();
    else if (!this.drag) this.begin(event);
  }

  begin(event) {
    this.svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    const from = this.point(event);
    if (this.tool === "select") {
      const at = this.at(event.target);
      if (!at || (event.pointerType === "touch" && !this.picked(at))) {
        this.drag = { pan: [event.clientX, event.clientY], moved: 0, tapped: at };
        return;
      }
      this.pick(at);
      this.plan.mark();
      this.drag = { from, was: structuredClone(this.plan.thing()) };
    } else this.drag = { from: this.tool === "anchor" ? from : this.plan.snap(from) };
  }

  // Whether it is what is selected, or a corner of it: a finger that meant to move the plan moves nothing else.
  picked({ kind, place }) {
    return this.plan.chosen?.kind === kind && this.plan.chosen.place === place;
  }

  pick(at) {
    this.plan.choose(at);
    if (at) this.drawn(at)?.focus({ preventScroll: true });
  }

  drawn({ kind, place, corner }) {
    return this.svg.querySelector(`[data-key="${kind}-${place}${corner === undefined ? "" : `-${corner}`}"]`);
  }

  // Select something in a list, and see it.
  show(at) {
    this.plan.choose(at);
    const drawn = this.drawn(at);
    if (drawn) this.view.reveal(drawn);
  }

  move(event) {
    if (this.view.move(event) || !this.drag) return;
    if (this.drag.pan) {
      const { pan } = this.drag, to = [event.clientX, event.clientY];
      this.drag.moved += Math.hypot(to[0] - pan[0], to[1] - pan[1]);
      this.view.pan(to[0] - pan[0], to[1] - pan[1]);
      this.drag.pan = to;
      return;
    }
    const { from, was } = this.drag, to = this.point(event);
    if (this.tool === "zone" || this.tool === "wall") {
      this.drag.to = this.tool === "wall" ? straight(from, this.plan.snap(to)) : this.plan.snap(to);
      this.draw();
    } else if (was) {
      this.plan.shift(was, to[0] - from[0], to[1] - from[1]);
      const { corner } = this.plan.chosen, points = corners(this.plan.thing());
      if (corner !== undefined) points[corner] = this.plan.snap(points[corner], this.plan.chosen);
      this.plan.moved();
    }
  }

  release(event) {
    if (this.view.release(event)) return;
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.pan) {
      if (drag.moved < TAP_PX) this.pick(drag.tapped);
    } else if (this.tool === "zone") {
      const [[x1, y1], [x2, y2]] = [drag.from, drag.to ?? drag.from];
      if (Math.abs(x2 - x1) < LEAST_M || Math.abs(y2 - y1) < LEAST_M) this.say("Drag from one corner of the zone to the other.");
      else this.plan.addZone(rectangle([Math.min(x1, x2), Math.min(y1, y2)], [Math.max(x1, x2), Math.max(y1, y2)]));
      this.draw();
    } else if (this.tool === "wall") {
      const wall = [drag.from, drag.to ?? drag.from];
      if (wallLength(wall) < LEAST_M) this.say("Drag from one end of the wall to the other.");
      else this.plan.addWall(...wall);
      this.draw();
    } else if (this.tool === "anchor") {
      if (!this.plan.addAnchor(this.point(event))) this.say("Draw a zone first: every anchor stands in one.");
    } else if (drag.was) {
      const { kind, corner } = this.plan.chosen, anchor = this.plan.thing();
      const around = kind === "anchor" && corner === undefined && this.plan.zoneAt([anchor.x, anchor.y]);
      if (around && anchor.x !== drag.was.x) anchor.zone = around.id;
      this.plan.settle();
    }
  }

  cancel(event) {
    this.view.release(event);
    if (this.drag?.was) this.plan.settle();
    this.drag = null;
    this.draw();
  }

  // A second finger came: the first one did not mean to draw or to move anything.
  abandon() {
    this.drag = null;
    this.plan.abandon();
  }

  key(event) {
    const at = this.at(event.target), arrow = ARROWS[event.key];
    if (!at) return;
    if (arrow) {
      const metres = event.shiftKey ? 1 : 0.1;
      this.plan.chosen = at;
      this.plan.change(() => this.plan.shift(structuredClone(this.plan.thing()), arrow[0] * metres, arrow[1] * metres));
      const thing = this.plan.thing(), points = corners(thing);
      const [to, down] = points ? points[at.corner ?? 0] : [thing.x, thing.y];
      this.say(`At ${tenth(to)}, ${tenth(down)} m.`);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.plan.chosen = at;
      this.plan.remove();
      this.say("Removed.");
    } else return;
    event.preventDefault();
  }
}

function line([[x1, y1], [x2, y2]], kind) {
  return shape("line", { class: kind, x1, y1, x2, y2 });
}

function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
