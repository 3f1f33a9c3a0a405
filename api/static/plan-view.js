// How much of a plan is seen: two fingers, buttons, or Ctrl and the wheel make it larger; a drag beside what is selected moves it.

const LARGEST = 12; // a shelf of half a metre in a hall of 60 m is as wide as a finger, on a phone
const STEP = 1.5;
const WHEEL_PX = 400; // of the wheel, for e times as large

export class View {
  constructor(box, board, changed) {
    Object.assign(this, { box, board, changed, scale: 1, fingers: new Map(), pinching: false });
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a trackpad's pinch says so, too
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / WHEEL_PX), [event.clientX, event.clientY]);
    }, { passive: false });
  }

  // Make it larger around a point of the screen, which keeps its place as far as the window reaches; return how many pixels it is
  // too low for that.
  zoom(factor, [x, y] = this.middle()) {
    const { box } = this, before = this.board.getBoundingClientRect();
    this.scale = Math.min(Math.max(this.scale * factor, 1), LARGEST);
    this.board.style.setProperty("--plan-scale", this.scale);
    const after = this.board.getBoundingClientRect();
    const low = after.top - y + ((y - before.top) / before.height) * after.height, top = box.scrollTop;
    box.scrollLeft += after.left - x + ((x - before.left) / before.width) * after.width;
    box.scrollTop += low;
    this.changed();
    return low - (box.scrollTop - top);
  }

  larger() { this.zoom(STEP); }
  smaller() { this.zoom(1 / STEP); }
  whole() { this.zoom(0); }
  get largest() { return this.scale === LARGEST; }

  // Move it by pixels; what the plan does not reach, the page moves.
  pan(across, down) {
    const { box } = this, before = box.scrollTop;
    box.scrollLeft -= across;
    box.scrollTop -= down;
    window.scrollBy(0, before - box.scrollTop - down);
  }

  // Move it so that a thing is seen.
  reveal(thing) {
    const seen = this.box.getBoundingClientRect(), at = thing.getBoundingClientRect();
    if (at.left >= seen.left && at.right <= seen.right && at.top >= seen.top && at.bottom <= seen.bottom) return;
    this.box.scrollLeft += (at.left + at.right - seen.left - seen.right) / 2;
    this.box.scrollTop += (at.top + at.bottom - seen.top - seen.bottom) / 2;
  }

  // Fingers, one after the other: each says whether it belongs to a pinch, and so does nothing else.
  press({ pointerType, pointerId, clientX, clientY }) {
    if (pointerType !== "touch") return false;
    this.fingers.set(pointerId, [clientX, clientY]);
    this.pinching ||= this.fingers.size === 2;
    return this.pinching;
  }

  move({ pointerId, clientX, clientY }) {
    if (!this.fingers.has(pointerId)) return false;
    const [spread, from] = this.spread();
    this.fingers.set(pointerId, [clientX, clientY]);
    if (!this.pinching || this.fingers.size < 2) return this.pinching;
    const [wider, to] = this.spread();
    if (spread && wider) window.scrollBy(0, this.zoom(wider / spread, from)); // the window grows with the plan, downwards
    this.pan(to[0] - from[0], to[1] - from[1]);
    return true;
  }

  release({ pointerId }) {
    const pinching = this.pinching && this.fingers.has(pointerId);
    this.fingers.delete(pointerId);
    if (!this.fingers.size) this.pinching = false;
    return pinching;
  }

  // How far the first two fingers are apart, and the point between them.
  spread() {
    const [[x1, y1], [x2, y2]] = [...this.fingers.values(), [0, 0]];
    return [Math.hypot(x2 - x1, y2 - y1), [(x1 + x2) / 2, (y1 + y2) / 2]];
  }

  middle() {
    const seen = this.box.getBoundingClientRect();
    return [(seen.left + seen.right) / 2, (seen.top + seen.bottom) / 2];
  }
}
