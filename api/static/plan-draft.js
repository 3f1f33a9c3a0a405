// What is drawn stays in this browser until it is saved: a tab that the phone drops, or a reload, loses nothing. It is only
// shown to whoever drew it. The picture is not kept: it is larger than what a browser keeps.

import { operator } from "/static/sending.js";

const FRAME = ["left", "top", "width", "ratio"]; // of the drawing, in metres

export class Draft {
  // `plan` is as it is stored.
  constructor(plan, store) {
    Object.assign(this, { plan, name: operator(), place: `sojourn-plan-${store}`, saved: plan.text() });
    window.addEventListener("beforeunload", (event) => {
      if (this.unsaved) event.preventDefault();
    });
  }

  get unsaved() { return this.plan.text() !== this.saved; }

  keep() {
    const { plan, name, saved } = this;
    try {
      if (this.unsaved) localStorage.setItem(this.place, JSON.stringify({ name, saved, store: plan.store, frame: FRAME.map((side) => plan[side]) }));
      else localStorage.removeItem(this.place);
    } catch {
      // no room on the device: the page itself still holds it, and asks before it is left
    }
  }

  // Take back what was drawn before, as a step that can be undone; return what to say of it.
  restore() {
    const kept = this.read();
    if (kept?.name !== this.name || !kept.store?.zones || JSON.stringify(kept.store) === JSON.stringify(this.plan.store)) return "";
    FRAME.forEach((side, at) => { this.plan[side] = kept.frame[at]; });
    this.plan.change(() => { this.plan.store = kept.store; });
    if (kept.saved === this.saved) return "What you drew and did not save is back. Undo takes it away.";
    return "What you drew and did not save is back, but the plan was changed since by somebody: Undo shows that one.";
  }

  read() {
    try {
      return JSON.parse(localStorage.getItem(this.place));
    } catch {
      return null;
    }
  }

  // The plan was saved with this text.
  done(text) {
    this.saved = text;
    this.keep();
  }
}
