// What is being written stays on this device until it is saved: a tab that the phone drops, or a login that ran out, loses
// nothing. It is only shown to whoever wrote it.

import { account, fieldsOf, isMine, operator } from "/static/sending.js";

const DRAFT = "sojourn-draft";
let writer = { name: operator(), account: account() }; // a login that runs out while one writes takes the name along

export function keepDraft(form) {
  if (operator()) writer = { name: operator(), account: account() };
  try {
    localStorage.setItem(DRAFT, JSON.stringify({ ...writer, fields: fieldsOf(form) }));
  } catch {
    // no room on the device: the page itself still holds it
  }
}

export function dropDraft() {
  localStorage.removeItem(DRAFT);
}

export function restoreDraft(form) {
  try {
    const draft = JSON.parse(localStorage.getItem(DRAFT));
    if (draft && isMine(draft)) fill(form, draft.fields);
  } catch {
    dropDraft();
  }
}

// Puts a note, as the API takes it, into the form.
export function fill(form, note) {
  form.reset();
  for (const field of form.elements) {
    if (!field.name) continue;
    const [outer, inner] = field.name.split(".");
    const value = inner ? note[outer]?.[inner] : note[outer];
    if (field.type === "checkbox") field.checked = (value ?? []).includes?.(field.value) ?? false;
    else if (field.type === "radio") field.checked = field.value === value;
    else if (value !== undefined && typeof value !== "object") field.value = value;
  }
  const followUp = form.querySelector("details.follow-up");
  if (followUp && note.follow_up) followUp.open = true;
}
