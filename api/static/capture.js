// The page on which a note is written, with or without a connection.

import { offerDictation } from "/static/dictation.js";
import { CannotKeep, add, all, discard, sendUnkept, sync } from "/static/queue.js";
import { flags } from "/static/reminder.js";
import { dropDraft, fill, keepDraft, restoreDraft } from "/static/drafts.js";
import { fieldsOf, isMine, operator } from "/static/sending.js";

const LOOK_EVERY_MS = 15_000; // browsers do not always say that a connection is back
const page = document.getElementById("capture-page");
const form = document.getElementById("capture");
const saved = document.getElementById("saved");
const reminder = document.getElementById("reminder");
const lexicon = JSON.parse(page.dataset.reminder);
const address = new URLSearchParams(location.search);
const profile = address.get("profile");
// without a connection the page may be another store's, or none's: the address counts
const store = address.get("store") || page.dataset.store;
const TWICE_MS = 1_000; // a second tap within so long is the same one
const SLOW_MS = 1_000; // a note that is sent within so long is not listed meanwhile
const WAITS = {
  connection: "It is sent when there is a connection.",
  server: "The server cannot take it now; it is sent again by itself.",
  role: "Your login may not write notes any more; ask an admin.",
  login: "You are not logged in any more; it is sent once you are.",
};
const WAITING = { connection: "Waits for a connection", server: "Waits for the server", role: "Waits until you may write notes", login: "Waits until you log in again" };
const GONE = "profile-unknown"; // what a note about a customer is refused for who withdrew her consent
let seen = ""; // the text whose flagged words were looked at
let saving = false;
let corrected = null; // the note that waits and is being corrected in the form
let savedAt = -TWICE_MS;
let newest = ""; // the key of the note that the word beside Save is about
let stopped = ""; // why notes wait

offerDictation(document.getElementById("dictate"), document.getElementById("dictation-word"), document.getElementById("detail"));
form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
document.getElementById("save").disabled = false; // until here a click would have been lost
form.addEventListener("input", () => keepDraft(form));
restoreDraft(form);
addEventListener("online", look);
setInterval(look, LOOK_EVERY_MS);
navigator.serviceWorker?.register("/notes/worker.js", { scope: "/notes/" });
if (profile) nameCustomer();
else if (store !== page.dataset.store) document.getElementById("about").textContent = `About the store ${store}; its zones show with a connection`;
if (store !== page.dataset.store) form.elements.zone?.closest("label").remove();
look();

async function nameCustomer() {
  const about = document.getElementById("about");
  about.textContent = "On a customer; the name shows with a connection.";
  const place = form.elements.zone?.options[0];
  if (place) place.textContent = "Where they are";
  try {
    const answer = await fetch(`/v1/profiles/${encodeURIComponent(profile)}`);
    if (answer.ok) about.textContent = `On ${(await answer.json()).display_name}`;
    else about.textContent = "This customer cannot be shown; the note will be refused.";
  } catch {
    // the name is not kept on the device
  }
}

async function save() {
  if (saving) return;
  saving = true;
  try {
    await keep();
  } finally {
    saving = false;
  }
}

async function keep() {
  if (!operator()) {
    keepDraft(form);
    say("Log in first; what you wrote stays on this device.", "bad", loginLink());
    return;
  }
  const note = noteOf();
  if (!note.subject && !note.detail && !note.tags) {
    if (performance.now() - savedAt > TWICE_MS) say("Tap a tag or write a line.", "bad");
    return;
  }
  const amiss = amissIn(note);
  if (amiss) {
    say(amiss, "bad");
    return;
  }
  // what a tag says is said too: the server reads its label with the note
  const text = [...labels(note.tags), note.subject ?? "", note.detail ?? "", note.follow_up?.instructions ?? ""].join("\n");
  const found = flags(text, lexicon);
  if (found.length && seen !== text) return remind(found, text);
  if (found.length) note.reminder_seen = true;
  try {
    newest = await add(note, operator());
    if (corrected) await discard(corrected.key);
  } catch (error) {
    if (error instanceof CannotKeep) await sendAtOnce(note, error.message);
    else say(error.message, "bad");
    return;
  }
  finish();
  say("Kept on this device …", "");
  deliver(newest); // not awaited: the next note is written while this one is sent
}

function finish() {
  savedAt = performance.now();
  clear();
}

// What this device cannot keep stays in the form until the server has it.
async function sendAtOnce(note, why) {
  say("Sending …", "");
  const found = await sendUnkept(note);
  if (found.refused) say(found.refused, "bad");
  else if (found.stopped) say(`Not saved: ${why} ${found.stopped === "connection" ? "And there is no connection." : ""} What you wrote stays in the form.`, "bad", found.stopped === "login" && loginLink());
  else {
    if (corrected) await discard(corrected.key).catch(() => {});
    finish();
    say("Saved", "good");
  }
}

async function deliver(key) {
  const slow = setTimeout(show, SLOW_MS);
  const found = await sendAll();
  clearTimeout(slow);
  const waiting = await show();
  if (key !== newest) return; // a newer note has the word
  if (found.kept.includes(key)) say("Saved", "good");
  else tellOf(waiting.find((one) => one.key === key));
}

async function sendAll() {
  const found = await sync().catch(() => ({ kept: [], stopped: "" })); // a browser that keeps nothing has nothing to send
  stopped = found.stopped;
  return found;
}

// Says how it stands with a note that is not sent.
function tellOf(waiting) {
  if (!waiting) return;
  if (waiting.refused) say(`Not saved: ${waiting.kind === GONE ? "look at it" : "correct it"} below.`, "bad");
  else if (stopped) say(`Kept on this device. ${WAITS[stopped]}`, stopped === "connection" ? "" : "bad", stopped === "login" && loginLink());
}

function loginLink() {
  const link = document.createElement("a");
  link.className = "plain";
  link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = "Log in again";
  return link;
}

function noteOf() {
  const note = fieldsOf(form);
  if (note.follow_up && !note.follow_up.due_at && !note.follow_up.instructions) delete note.follow_up;
  if (note.follow_up) note.follow_up.timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (corrected) { // it stays about whom and where it was written
    for (const name of ["profile_id", "store"]) if (corrected.note[name]) note[name] = corrected.note[name];
    return note;
  }
  if (profile) note.profile_id = profile;
  if (store && (!profile || note.zone)) note.store = store;
  return note;
}

// What the server would refuse and the page can tell at once, before the form is emptied.
function amissIn({ tags = [], detail = "", follow_up: followUp }) {
  const { maxLength } = form.elements.detail;
  if (tags.length > Number(page.dataset.tagsMost)) return `A note has ${page.dataset.tagsMost} tags at most; this one has ${tags.length}.`;
  if (detail.length > maxLength) return `“More” takes ${maxLength} characters; these are ${detail.length}.`;
  if (!followUp) return "";
  if (!followUp.due_at) return "Say by when the follow-up is due.";
  if (!followUp.instructions) return "Say what is to be done in the follow-up.";
  const days = (new Date(followUp.due_at) - Date.now()) / 86_400_000;
  return days > Number(page.dataset.dueDaysMost) || days < -Number(page.dataset.dueDaysAgo) ? "Look at the year of the follow-up: it is due within the next two years." : "";
}

function remind(found, text) {
  const said = document.createElement("p");
  said.append(`${lexicon.says} Flagged: `);
  found.forEach(({ word, label }, place) => {
    const mark = document.createElement("mark");
    mark.textContent = word;
    said.append(place ? ", " : "", mark, ` (${label})`);
  });
  const anyway = document.createElement("button");
  anyway.type = "button";
  anyway.className = "button";
  anyway.textContent = "This is what was said: save it";
  anyway.addEventListener("click", () => { seen = text; save(); });
  reminder.replaceChildren(said, anyway);
  reminder.hidden = false;
  say("Not saved yet.", "bad");
}

function clear() {
  const { zone, purpose } = form.elements; // the next note is often about the same place
  const held = [zone?.value, purpose.value];
  form.reset();
  if (zone) zone.value = held[0];
  purpose.value = held[1];
  reminder.hidden = true;
  seen = "";
  corrected = null;
  dropDraft();
}

function say(words, tone, link) {
  saved.replaceChildren(words, ...(link ? [" ", link] : []));
  saved.dataset.tone = tone;
}

async function look() {
  const found = await sendAll();
  const waiting = await show();
  if (found.kept.length) say(found.kept.length === 1 ? "Sent the note that waited." : `Sent ${found.kept.length} notes that waited.`, "good");
  else tellOf(waiting.find((one) => one.key === newest));
}

async function show() {
  const waiting = await all().catch(() => []);
  document.getElementById("waiting").hidden = !waiting.length;
  document.getElementById("waiting-list").replaceChildren(...waiting.map(lineOf));
  return waiting;
}

function lineOf(waiting) {
  const { key, note, name, refused, kind } = waiting;
  const line = document.createElement("li");
  const words = document.createElement("span");
  const state = document.createElement("span");
  state.className = "muted small";
  const mine = isMine(waiting);
  // what somebody else wrote is theirs to read
  words.textContent = mine ? [note.subject, note.detail].filter(Boolean).join(" · ") || labels(note.tags).join(", ") : `A note of ${name}`;
  state.textContent = !mine ? "Waits until they log in on this device" : kind === GONE ? "Refused: no note may be kept about this customer, no consent holds." : refused ? `Refused: ${refused}` : WAITING[navigator.onLine ? stopped : "connection"] ?? "Waits to be sent";
  line.append(words, state);
  if (mine && refused && kind !== GONE) line.append(button("Correct", () => correct(waiting)));
  if (refused || !mine) {
    const drop = button("Discard", async () => {
      if (drop.dataset.sure) {
        await discard(key);
        await show();
      } else {
        drop.dataset.sure = "true";
        drop.textContent = "Discard for good";
      }
    });
    line.append(drop);
  }
  return line;
}

function button(words, does) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button";
  made.textContent = words;
  made.addEventListener("click", does);
  return made;
}

// Puts a refused note back into the form; it is removed from the device once what came of it is kept.
function correct(waiting) {
  const { note, written } = waiting;
  const old = Date.now() - written > 86_400_000 ? `Written on ${new Date(written).toLocaleDateString()}.` : "";
  fill(form, { ...note, detail: [note.detail, old].filter(Boolean).join("\n") });
  corrected = waiting.kind === "store-unknown" ? { ...waiting, note: { ...note, store: null } } : waiting;
  say("Mend it and save it again.", "");
  form.scrollIntoView();
}

function labels(tags = []) {
  return tags.map((tag) => form.querySelector(`input[name="tags"][value="${CSS.escape(tag)}"]`)?.parentElement.textContent.trim() ?? tag);
}
