// What is being written stays on this device until it is saved: a tab that the phone drops, or a login that ran out, loses
// nothing. It is only shown to whoever wrote it, and only comes back into the form of a page that is about the same: of
// this customer, else this store.

import { account, fieldsOf, isMine, operator } from "/static/sending.js";

const DRAFT = "sojourn-draft";
let writer = { name: operator(), account: account() }; // a login that runs out while one writes takes the name along

export function keepDraft(form, about) {
  if (operator()) writer = { name: operator(), account: account() };
  const fields = fieldsOf(form);
  const { purpose, zone, ...written } = fields; // these two stand there before anything is written
  if (!Object.keys(written).length) return dropDraft(about);
  put({ ...writer, about, page: location.pathname + location.search, fields });
}

export function dropDraft(about) {
  localStorage.removeItem(keyOf({ ...writer, about }));
  for (const [key, draft] of mine()) if (draft.about === about) localStorage.removeItem(key);
}

// Puts what was begun about this into the form; false where nothing was.
export function restoreDraft(form, about) {
  const found = mine().find(([, draft]) => draft.about === about);
  if (found) fill(form, found[1].fields);
  return !!found;
}

// What was begun about something else, each with its `about`, its `fields` and the `page` on which it comes back.
export function otherDrafts(about) {
  return mine().map(([, draft]) => draft).filter((draft) => draft.about !== about);
}

// Lets what was begun go along to a page that is about more, unless something waits there already.
export function takeAlong(from, to) {
  const held = mine();
  const found = held.find(([, draft]) => draft.about === from);
  if (!found || held.some(([, draft]) => draft.about === to)) return;
  put({ ...found[1], about: to });
  localStorage.removeItem(found[0]);
}

function put(draft) {
  try {
    localStorage.setItem(keyOf(draft), JSON.stringify(draft));
  } catch {
    // no room on the device: the page itself still holds it
  }
}

function keyOf({ name, account: whose, about }) {
  return `${DRAFT} ${whose || name} ${about}`;
}

function mine() {
  const found = [];
  for (const key of Object.keys(localStorage).filter((one) => one.startsWith(DRAFT))) {
    try {
      const draft = JSON.parse(localStorage.getItem(key));
      if (isMine(draft)) found.push([key, { ...draft, about: draft.about ?? "", page: draft.page ?? "/notes/new" }]);
    } catch {
      localStorage.removeItem(key);
    }
  }
  return found;
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
