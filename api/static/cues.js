// Keeps the list of cues current: a cue that is told, or what came of one, lets the list be fetched again.

const of = document.getElementById("cues-of").dataset;
const sign = document.getElementById("cues-live");
const LOST_AFTER_MS = 12_000; // two heartbeats of 5 s and some
const REFRESH_EVERY_MS = 30_000; // a consent that was withdrawn takes its cues away
let heardAt = Date.now();
let asking = false;
let again = false;

if (of.first === "true") {
  const source = new EventSource(`/v1/stores/${encodeURIComponent(of.store)}/cues/live`);
  source.addEventListener("open", () => { heard("Live."); refresh(); });
  source.addEventListener("cue", () => { heard("Live."); refresh(); });
  source.addEventListener("changed", () => { heard("Live."); refresh(); });
  source.addEventListener("heartbeat", (event) => heard(JSON.parse(event.data).listening ? "Live." : "The database is away; the page goes on by itself."));
  source.addEventListener("error", () => say("Live lost; connecting again."));
  addEventListener("pagehide", () => source.close());
  const timers = [
    setInterval(refresh, REFRESH_EVERY_MS),
    setInterval(() => { if (Date.now() - heardAt > LOST_AFTER_MS) say("Live lost; connecting again."); }, 1_000),
  ];
  source.addEventListener("refused", (event) => { // nobody more is told here today
    source.close();
    timers.forEach(clearInterval);
    const { detail, hint } = JSON.parse(event.data);
    say(`${detail} ${hint}`);
  });
} else {
  say("Earlier cues.");
}

function heard(words) { heardAt = Date.now(); say(words); }
function say(words) { if (sign.textContent !== words) sign.textContent = words; }

async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) location.reload(); // the session has ended
    else if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // the sign says that the connection is lost; the next event tries again
  } finally {
    asking = false;
    if (again) { again = false; refresh(); }
  }
}

// line by line, so that a new one is read out and a button under the keyboard stays
function swap(fresh) {
  const list = document.getElementById("told-cues");
  const none = fresh.getElementById("no-cues");
  const held = document.getElementById("no-cues");
  if (!none) held?.remove();
  else if (!held) list.after(none);
  const wanted = [...fresh.getElementById("told-cues").children];
  const ids = new Set(wanted.map((line) => line.id));
  for (const line of [...list.children]) if (!ids.has(line.id)) line.remove();
  for (const [place, line] of wanted.entries()) {
    const held = document.getElementById(line.id);
    if (!held) list.insertBefore(line, list.children[place] ?? null);
    else if (held.outerHTML !== line.outerHTML && !held.contains(document.activeElement)) held.replaceWith(line);
  }
}
