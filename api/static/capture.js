// The page on which a note is written, with or without a connection.

import { offerDictation } from "/static/dictation.js";
import { CannotKeep, add, all, discard, sendUnkept, sync } from "/static/queue.js";
import { flags } from "/static/reminder.js";
import { dropDraft, fill, keepDraft, otherDrafts, restoreDraft, takeAlong } from "/static/drafts.js";
import { fieldsOf, isMine, operator } from "/static/sending.js";

const LOOK_EVERY_MS = 15_000; // browsers do not always say that a connection is back
const page = document.getElementById("capture-page");
const form = document.getElementById("capture");
const saved = document.getElementById("saved");
const reminder = document.getElementById("reminder");
const lexicon = JSON.parse(page.dataset.reminder);
const address = new URLSearchParams(location.search);
const profile = address.get("profile");
const named = address.get("store") ?? "";
// without a connection the page may be another store's, or none's: the address counts
const store = named || page.dataset.store;
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
let corrects = address.get("correct") ?? ""; // the key of the note that waits and is being corrected in the form
let corrected = null; // that note
let savedAt = -TWICE_MS;
let newest = ""; // the key of the note that the word beside Save is about
let stopped = ""; // why notes wait

offerDictation(document.getElementById("dictate"), document.getElementById("dictation-word"), document.getElementById("detail"));
form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
addEventListener("online", look);
setInterval(look, LOOK_EVERY_MS);
navigator.serviceWorker?.register("/notes/worker.js", { scope: "/notes/" });
if (profile) nameCustomer();
else if (store !== page.dataset.store) document.getElementById("about").textContent = `About the store ${store}; its zones show with a connection`;
if (store !== page.dataset.store) form.elements.zone?.closest("label").remove();
offerStores();
begin().then(look);

// What the page is about, as drafts are kept by: one of another customer must never come back here.
function about() {
  if (corrects) return aboutCorrection(corrects);
  return profile ? `profile=${profile}` : aboutStore(named);
}

function aboutStore(id) {
  return id && `store=${id}`;
}

function aboutCorrection(key) {
  return `correct=${key}`;
}

async function begin() {
  if (corrects) {
    corrected = (await all().catch(() => [])).find((one) => one.key === corrects && one.refused && isMine(one)) ?? null;
    if (!corrected) { // saved or discarded since
      const before = about();
      endCorrection();
      takeAlong(before, about());
    }
  }
  const restored = restoreDraft(form, about());
  if (corrected) showCorrection(restored);
  if (restored) keepDraft(form, about()); // it comes back where it was seen last
  form.addEventListener("input", () => keepDraft(form, about()));
  document.getElementById("save").disabled = false; // until here a click would have been lost
}

// The customer stays when a store is chosen; the server does not know her here, as phones keep the page.
function offerStores() {
  const nav = document.getElementById("stores");
  if (!nav) return;
  for (const link of nav.querySelectorAll("a")) {
    const to = new URL(link.href);
    for (const [name, value] of [["profile", profile], ["correct", corrects]]) if (value) to.searchParams.set(name, value);
    link.href = to.pathname + to.search;
    link.addEventListener("click", () => { if (!profile && !corrects) takeAlong(about(), aboutStore(to.searchParams.get("store"))); });
  }
  nav.hidden = false;
}

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
    keepDraft(form, about());
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
    newest = await add(note, operator(), corrected?.key);
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
  if (!corrects) return;
  endCorrection();
  restoreDraft(form, about()); // what was begun here before
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
  if (profile) note.profile_id = profile;
  if (store && (named || !profile || note.zone)) note.store = store;
  // without a connection the page may have no zones of the store of a note that is corrected
  if (corrected?.note.zone && !form.elements.zone && note.store === corrected.note.store) note.zone = corrected.note.zone;
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
  dropDraft(about());
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
  const listed = waiting.map(({ key }) => aboutCorrection(key));
  const drafts = otherDrafts(about()).filter((draft) => !listed.includes(draft.about));
  document.getElementById("waiting").hidden = !waiting.length && !drafts.length;
  document.getElementById("waiting-list").replaceChildren(...waiting.map(lineOf), ...drafts.map(draftLineOf));
  return waiting;
}

function lineOf(waiting) {
  const { key, note, name, refused, kind } = waiting;
  const mine = isMine(waiting);
  const why = kind === GONE ? "Refused: no note may be kept about this customer, no consent holds." : refused ? `Refused: ${refused}` : WAITING[navigator.onLine ? stopped : "connection"] ?? "Waits to be sent";
  const state = !mine ? "Waits until they log in on this device" : key === corrects ? `Is corrected above. ${why}` : why;
  // what somebody else wrote is theirs to read
  const line = lineSaying(mine ? wordsOf(note) : `A note of ${name}`, state);
  if (mine && refused && kind !== GONE && key !== corrects) line.append(linkTo("Correct", correctionOf(waiting)));
  if (refused || !mine) {
    line.append(discardButton(async () => {
      await discard(key);
      dropDraft(aboutCorrection(key));
      if (key === corrects) finish();
    }));
  }
  return line;
}

// What was begun on another page and not saved: it comes back there, and never here.
function draftLineOf({ about: whom, page: where, fields }) {
  const [what, id] = whom.split("=");
  const told = { profile: "Begun about a customer", store: `Begun about the store ${id}` }[what] ?? "Begun on another page";
  const line = lineSaying(wordsOf(fields), `${told}, not saved`);
  line.append(linkTo("Go on", where), discardButton(() => dropDraft(whom)));
  return line;
}

function lineSaying(said, told) {
  const line = document.createElement("li");
  const words = document.createElement("span");
  const state = document.createElement("span");
  state.className = "muted small";
  words.textContent = said;
  state.textContent = told;
  line.append(words, state);
  return line;
}

function wordsOf({ subject, detail, tags, follow_up: followUp }) {
  return [subject, detail].filter(Boolean).join(" · ") || labels(tags).join(", ") || followUp?.instructions || "No words yet";
}

function discardButton(does) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button";
  made.textContent = "Discard";
  made.addEventListener("click", async () => {
    if (made.dataset.sure) {
      await does();
      await show();
    } else {
      made.dataset.sure = "true";
      made.textContent = "Discard for good";
    }
  });
  return made;
}

function linkTo(words, where) {
  const link = document.createElement("a");
  link.className = "button";
  link.href = where;
  link.textContent = words;
  return link;
}

// A refused note is corrected on the page of whom and where it was written, which says so and has the zones of its store.
function correctionOf({ key, note, kind }) {
  const asked = new URLSearchParams();
  if (note.profile_id) asked.set("profile", note.profile_id);
  if (note.store && kind !== "store-unknown") asked.set("store", note.store);
  asked.set("correct", key);
  return `/notes/new?${asked}`;
}

function showCorrection(restored) {
  const { note, written } = corrected;
  const old = Date.now() - written > 86_400_000 ? `Written on ${new Date(written).toLocaleDateString()}.` : "";
  if (!restored) fill(form, { ...note, detail: [note.detail, old].filter(Boolean).join("\n") });
  document.querySelector("h1").textContent = "Correct a note";
  say("Mend it and save it again.", "");
  form.scrollIntoView();
}

// The page goes on as one for new notes about the same.
function endCorrection() {
  address.delete("correct");
  corrects = "";
  corrected = null;
  history.replaceState(null, "", address.size ? `?${address}` : location.pathname);
  document.querySelector("h1").textContent = "New note";
}

function labels(tags = []) {
  return tags.map((tag) => form.querySelector(`input[name="tags"][value="${CSS.escape(tag)}"]`)?.parentElement.textContent.trim() ?? tag);
}
