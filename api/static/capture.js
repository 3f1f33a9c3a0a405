// The page on which a note is written, with or without a connection.

import { offerDictation } from "/static/dictation.js";
import { add, all, discard, sync } from "/static/queue.js";
import { flags } from "/static/reminder.js";
import { fieldsOf, operator } from "/static/sending.js";

const LOOK_EVERY_MS = 15_000; // browsers do not always say that a connection is back
const page = document.getElementById("capture-page");
const form = document.getElementById("capture");
const saved = document.getElementById("saved");
const reminder = document.getElementById("reminder");
const lexicon = JSON.parse(page.dataset.reminder);
const profile = new URLSearchParams(location.search).get("profile");
const TWICE_MS = 1_000; // a second tap within so long is the same one
let seen = ""; // the text whose flagged words were looked at
let saving = false;
let savedAt = -TWICE_MS;

offerDictation(document.getElementById("dictate"), document.getElementById("dictation-word"), document.getElementById("detail"));
form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
addEventListener("online", look);
setInterval(look, LOOK_EVERY_MS);
navigator.serviceWorker?.register("/notes/worker.js", { scope: "/notes/" });
if (profile) nameCustomer();
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
    say("Log in first; what you wrote stays here.", "bad");
    return;
  }
  const note = noteOf();
  if (!note.subject && !note.detail && !note.tags) {
    if (performance.now() - savedAt > TWICE_MS) say("Tap a tag or write a line.", "bad");
    return;
  }
  // what a tag says is said too: the server reads its label with the note
  const text = [...labels(note.tags), note.subject ?? "", note.detail ?? "", note.follow_up?.instructions ?? ""].join("\n");
  const found = flags(text, lexicon);
  if (found.length && seen !== text) return remind(found, text);
  if (found.length) note.reminder_seen = true;
  try {
    const key = await add(note, operator());
    savedAt = performance.now();
    clear();
    say("Kept on this device …", "");
    const kept = await sync();
    say(kept.includes(key) ? "Saved" : "Kept on this device. It is sent when there is a connection.", kept.includes(key) ? "good" : "");
  } catch (error) {
    say(error.message, "bad");
  }
  await show();
}

function noteOf() {
  const note = fieldsOf(form);
  if (note.follow_up && !note.follow_up.due_at && !note.follow_up.instructions) delete note.follow_up;
  if (note.follow_up) note.follow_up.timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (profile) note.profile_id = profile;
  if (page.dataset.store && (!profile || note.zone)) note.store = page.dataset.store;
  return note;
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
}

function say(words, tone) {
  saved.textContent = words;
  saved.dataset.tone = tone;
}

async function look() {
  const kept = await sync();
  if (kept.length) say(kept.length === 1 ? "Sent the note that waited." : `Sent ${kept.length} notes that waited.`, "good");
  await show();
}

async function show() {
  const waiting = await all();
  document.getElementById("waiting").hidden = !waiting.length;
  document.getElementById("waiting-list").replaceChildren(...waiting.map(lineOf));
}

function lineOf({ key, note, refused }) {
  const line = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = note.subject ?? note.detail ?? labels(note.tags).join(", ");
  const state = document.createElement("span");
  state.className = "muted small";
  state.textContent = refused ? `Refused: ${refused}` : "Waits for a connection";
  line.append(words, state);
  if (refused) {
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "button";
    drop.textContent = "Discard";
    drop.addEventListener("click", async () => { await discard(key); await show(); });
    line.append(drop);
  }
  return line;
}

function labels(tags = []) {
  return tags.map((tag) => form.querySelector(`input[name="tags"][value="${CSS.escape(tag)}"]`)?.parentElement.textContent.trim() ?? tag);
}
