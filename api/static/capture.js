// The page on which a note is written, with or without a connection.

import { offerDictation } from "/static/dictation.js";
import { add, all, discard, sync } from "/static/queue.js";
import { flags } from "/static/reminder.js";
import { dropDraft, fill, keepDraft, restoreDraft } from "/static/drafts.js";
import { fieldsOf, isMine, operator } from "/static/sending.js";

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
let corrected = null; // the note that waits and is being corrected in the form
let savedAt = -TWICE_MS;

offerDictation(document.getElementById("dictate"), document.getElementById("dictation-word"), document.getElementById("detail"));
form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
form.addEventListener("input", () => keepDraft(form));
restoreDraft(form);
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
    keepDraft(form);
    say("Log in first; what you wrote stays on this device.", "bad");
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
    const key = await add(note, operator());
    if (corrected) await discard(corrected.key);
    savedAt = performance.now();
    clear();
    say("Kept on this device …", "");
    const kept = await sync();
    const left = (await all()).find((waiting) => waiting.key === key);
    if (kept.includes(key)) say("Saved", "good");
    else if (left?.refused) say("Not saved: correct it below.", "bad");
    else say("Kept on this device. It is sent when there is a connection.", "");
  } catch (error) {
    say(error.message, "bad");
  }
  await show();
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
  if (page.dataset.store && (!profile || note.zone)) note.store = page.dataset.store;
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

function lineOf(waiting) {
  const { key, note, name, refused } = waiting;
  const line = document.createElement("li");
  const words = document.createElement("span");
  const state = document.createElement("span");
  state.className = "muted small";
  const mine = isMine(waiting);
  // what somebody else wrote is theirs to read
  words.textContent = mine ? [note.subject, note.detail].filter(Boolean).join(" · ") || labels(note.tags).join(", ") : `A note of ${name}`;
  state.textContent = !mine ? "Waits until they log in on this device" : refused ? `Refused: ${refused}` : navigator.onLine ? "Waits to be sent" : "Waits for a connection";
  line.append(words, state);
  if (mine && refused) line.append(button("Correct", () => correct(waiting)));
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
  corrected = waiting;
  say("Mend it and save it again.", "");
  form.scrollIntoView();
}

function labels(tags = []) {
  return tags.map((tag) => form.querySelector(`input[name="tags"][value="${CSS.escape(tag)}"]`)?.parentElement.textContent.trim() ?? tag);
}
