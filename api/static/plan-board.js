// Draws a plan as SVG over the picture, and turns pointers and keys on it into changes of the plan.

import { middle, rectangle, tenth } from "/static/plan-model.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST_M = 0.5; // a smaller zone is a slip of the hand
const PICTURE_MOST = 2400; // pixels across that are kept of a picture
const LETTER_PX = 11;
const LETTER_WIDE = 0.66; // of its height, in bold
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Board {
  constructor(plan, svg, canvas, say) {
    Object.assign(this, { plan, svg, canvas, say, tool: "select", drag: null });
    svg.addEventListener("pointerdown", (event) => this.press(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.release(event));
    svg.addEventListener("pointercancel", () => this.cancel());
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
    svg.parentElement.style.setProperty("--plan-ratio", `${width} / ${height}`);
    this.unit = (width * LETTER_PX) / (svg.clientWidth || 600); // metres of a letter, on every screen
    svg.replaceChildren(
      ...plan.store.zones.flatMap((zone, place) => (zone.outline ? [this.zone(zone, place)] : [])),
      ...plan.store.anchors.flatMap((anchor, place) => (anchor.x === undefined || anchor.y === undefined ? [] : [this.anchor(anchor, place)])),
    );
    if (chosen?.kind === "zone" && plan.thing()?.outline) {
      svg.append(...plan.thing().outline.map((point, corner) => this.corner(point, { ...chosen, corner })));
    }
    if (this.drag?.from && this.tool === "zone" && this.drag.to) {
      svg.append(shape("polygon", { class: "plan-editor-draft", points: rectangle(this.drag.from, this.drag.to).join(" ") }));
    }
    if (focused) svg.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
    this.drawing = false;
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
    const group = this.focusable(at, `Corner ${at.corner + 1} at ${x}, ${y}`, "plan-editor-corner");
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
    if (event.button !== 0 || this.drag) return;
    this.svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    const from = this.point(event);
    if (this.tool === "select") {
      const at = this.at(event.target);
      this.plan.choose(at);
      if (!at) return;
      this.svg.querySelector(`[data-key="${event.target.closest("[data-key]")?.dataset.key ?? ""}"]`)?.focus({ preventScroll: true });
      this.plan.mark();
      this.drag = { from, was: structuredClone(this.plan.thing()) };
    } else if (this.tool === "zone") this.drag = { from: this.plan.snap(from) };
    else this.drag = { from };
  }

  move(event) {
    if (!this.drag) return;
    const { from, was } = this.drag, to = this.point(event);
    if (this.tool === "zone") {
      this.drag.to = this.plan.snap(to);
      this.draw();
    } else if (was) {
      this.plan.shift(was, to[0] - from[0], to[1] - from[1]);
      const { corner, place } = this.plan.chosen, thing = this.plan.thing();
      if (corner !== undefined) thing.outline[corner] = this.plan.snap(thing.outline[corner], place);
      this.plan.moved();
    }
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (this.tool === "zone") {
      const [[x1, y1], [x2, y2]] = [drag.from, drag.to ?? drag.from];
      if (Math.abs(x2 - x1) < LEAST_M || Math.abs(y2 - y1) < LEAST_M) this.say("Drag from one corner of the zone to the other.");
      else this.plan.addZone(rectangle([Math.min(x1, x2), Math.min(y1, y2)], [Math.max(x1, x2), Math.max(y1, y2)]));
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

  cancel() {
    if (this.drag?.was) this.plan.settle();
    this.drag = null;
    this.draw();
  }

  key(event) {
    const at = this.at(event.target), arrow = ARROWS[event.key];
    if (!at) return;
    if (arrow) {
      const metres = event.shiftKey ? 1 : 0.1;
      this.plan.chosen = at;
      this.plan.change(() => this.plan.shift(structuredClone(this.plan.thing()), arrow[0] * metres, arrow[1] * metres));
      const { x, y, outline } = this.plan.thing();
      const [to, down] = at.corner === undefined ? (outline ? outline[0] : [x, y]) : outline[at.corner];
      this.say(`At ${tenth(to)}, ${tenth(down)} m.`);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.plan.chosen = at;
      this.plan.remove();
      this.say("Removed.");
    } else return;
    event.preventDefault();
  }
}

function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
