// Keeps the page of one profile current: parts marked data-swap are fetched again and replaced where they changed.
// While a visit is in progress the store's live stream says when; otherwise the page looks every few seconds.

import { Live, dwell } from "/static/live.js";

const LOOK_EVERY_MS = 5_000; // somebody who arrives shows within seconds
const AT_MOST_EVERY_MS = 2_000; // a busy store changes five times a second, one customer does not

const sign = document.getElementById("live");
let live = null;
let asking = false;
let askedAt = 0;
let later = 0; // a look that waits until it may be had

follow();
document.addEventListener("visibilitychange", refresh);
setInterval(tick, 1_000);
setInterval(() => { if (!live) refresh(); }, LOOK_EVERY_MS);

function follow() {
  const { store, timezone, fixed } = document.getElementById("profile").dataset;
  sign.hidden = !store;
  if (fixed === "true") live = live ?? {}; // an earlier visit does not change
  else if (store && !live) live = new Live(store, timezone, refresh);
}

async function refresh() {
  if (document.hidden) return;
  const early = askedAt + AT_MOST_EVERY_MS - Date.now();
  if (asking || early > 0) { // not dropped: it may be the last word for minutes
    if (!later) later = setTimeout(() => { later = 0; refresh(); }, Math.max(early, 200));
    return;
  }
  asking = true;
  askedAt = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 404 || answer.redirected) location.reload(); // the consent was withdrawn: nothing may stay on the screen
    if (answer.ok && !answer.redirected) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // the live sign says that the connection is lost; the next look tries again
  } finally {
    asking = false;
  }
}

function swap(fresh) {
  const held = document.activeElement?.closest("[data-swap]");
  for (const part of document.querySelectorAll("[data-swap]")) {
    const other = fresh.getElementById(part.id);
    if (!other || part === held) continue; // nothing is taken away under a keyboard
    for (const [place, open] of [...part.querySelectorAll("details")].entries()) {
      const twin = other.querySelectorAll("details")[place];
      if (twin) twin.open = open.open;
    }
    if (part.outerHTML !== other.outerHTML) part.replaceWith(other);
  }
  document.getElementById("profile").dataset.store = fresh.getElementById("profile")?.dataset.store ?? "";
  if (!(live instanceof Live)) follow();
  tick();
}

// running lengths: the clock goes on while signals come, and stops at the newest one when they don't
function tick() {
  const silentAfterMs = Number(document.getElementById("profile").dataset.silentAfter) * 1_000;
  const now = live instanceof Live ? live.now() : Date.now();
  for (const length of document.querySelectorAll("[data-since]")) {
    const until = Date.parse(length.dataset.until);
    const words = dwell((now - until > silentAfterMs ? until : now) - Date.parse(length.dataset.since));
    if (length.textContent !== words) length.textContent = words;
  }
}
