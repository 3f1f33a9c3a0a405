// One live connection a page, and the sign that says how it is.
// States: connecting, live, quiet (connected, but no new signals), lost.

const LOST_AFTER_MS = 12_000; // two heartbeats of 5 s and some
const QUIET_AFTER_MS = 30_000; // phones and tags are heard every few seconds while anybody is in a store
const AGAIN_MS = [1_000, 2_000, 4_000, 8_000]; // only where the browser itself has given up

export class Live {
  // onState gets the data of each `state` event
  constructor(store, timezone, onState) {
    this.url = `/v1/stores/${encodeURIComponent(store)}/live`;
    this.onState = onState;
    this.clock = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, timeStyle: "medium" });
    this.sign = document.getElementById("live");
    this.word = document.getElementById("live-word");
    this.detail = document.getElementById("live-detail");
    this.tries = 0;
    this.heardAt = Date.now(); // by this machine's clock
    this.open = false;
    this.listening = true;
    this.aheadMs = 0; // server's clock minus this machine's
    this.asOfMs = null;
    this.known = false; // until the first state the server's own words stand
    this.connect();
    this.ticking = setInterval(() => this.tick(), 1_000);
    addEventListener("pagehide", () => this.source.close());
    addEventListener("pageshow", (event) => event.persisted && this.connect());
  }

  connect() {
    clearTimeout(this.again);
    if (this.source) this.source.close();
    this.source = new EventSource(this.url);
    this.source.addEventListener("open", () => { this.heard(); });
    this.source.addEventListener("state", (event) => {
      const state = JSON.parse(event.data);
      this.heard(state.server_at_us);
      this.asOfMs = state.as_of_us === null ? null : state.as_of_us / 1_000;
      this.known = true;
      this.onState(state);
      this.tick();
    });
    this.source.addEventListener("heartbeat", (event) => {
      const beat = JSON.parse(event.data);
      this.heard(beat.server_at_us);
      this.listening = beat.listening;
      this.tick();
    });
    this.source.addEventListener("error", () => {
      this.open = false;
      if (this.source.readyState === EventSource.CLOSED) { // an answer that was no stream: the browser gives up, we don't
        this.again = setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)]);
        this.tries += 1;
      }
      this.tick();
    });
  }

  heard(serverAtUs) {
    this.heardAt = Date.now();
    this.open = true;
    this.tries = 0;
    if (serverAtUs !== undefined) this.aheadMs = serverAtUs / 1_000 - this.heardAt;
  }

  // when the store was last heard, as api/metrics/wording.py says it: now, late, never
  get hears() {
    if (this.asOfMs === null) return "never";
    return this.now() - this.asOfMs > QUIET_AFTER_MS ? "late" : "now";
  }

  // the server's time now
  now() { return Date.now() + this.aheadMs; }

  tick() {
    if (this.known) this.showHeard();
    const deaf = Date.now() - this.heardAt > LOST_AFTER_MS;
    const age = this.asOfMs === null ? null : Math.max(0, this.now() - this.asOfMs);
    const newest = age === null ? "" : `newest signal ${this.clock.format(this.asOfMs)}, ${ago(age)} ago`;
    if (!this.open || deaf) {
      this.show("lost", "Live lost", newest ? `connecting again; shown as of the ${newest}` : "connecting again");
    } else if (!this.listening) {
      this.show("lost", "Live lost", "the database is away; the page goes on by itself");
    } else if (age === null) {
      this.show("quiet", "Waiting", "no signal has come from this store yet");
    } else if (this.hears === "late") {
      this.show("quiet", "Quiet", newest);
    } else {
      this.show("live", "Live", newest);
    }
  }

  // of words that hold only while the store is heard those that do
  showHeard() {
    for (const words of document.querySelectorAll("[data-heard]")) {
      const hide = words.dataset.heard !== this.hears;
      if (words.hidden !== hide) words.hidden = hide;
    }
  }

  show(state, word, detail) {
    if (this.sign.dataset.state !== state) this.sign.dataset.state = state;
    if (this.word.textContent !== word) this.word.textContent = word; // a status: it is read aloud when it changes
    if (this.detail.textContent !== detail) this.detail.textContent = detail;
    document.body.classList.toggle("stale", state === "lost");
  }
}

// a length of time in ms, like 42 s, 4 min 12 s or 1 h 04 min; as api/wording.py writes it
export function dwell(ms) {
  const whole = Math.floor(Math.max(0, ms) / 1_000 + 0.5);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.floor((whole + 30) / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

// bounds in the unit of the larger one; as api/wording.py writes it
export function dwellRange(leastMs, mostMs) {
  let low = Math.floor(Math.max(0, leastMs) / 1_000 + 0.5);
  let high = Math.floor(Math.max(0, mostMs) / 1_000 + 0.5);
  if (high < 60) return `${low} to ${high} s`;
  const unit = high < 3_600 ? "min" : "h";
  if (unit === "h") { low = Math.floor((low + 30) / 60); high = Math.floor((high + 30) / 60); }
  return `${Math.floor(low / 60)}:${two(low % 60)} to ${Math.floor(high / 60)}:${two(high % 60)} ${unit}`;
}

function ago(ms) { return dwell(Math.floor(ms / 1_000) * 1_000); }

function two(number) { return String(number).padStart(2, "0"); }
