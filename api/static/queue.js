// Notes that wait on this device: kept before they are sent, sent in their order, removed once the server says that it has
// this very note. What stands between, a hotspot's login page or a proxy, answers too, and often with 200.
// Each has a key of its own, so that one that was sent and not answered is kept once when it is sent again.

import { account, isMine, problemOf, send } from "/static/sending.js";

export const MOST = 200; // two full days without a connection
const PATIENCE_MS = 10_000; // a connection that hangs is none
const LATE_MS = 60_000; // a note that waited longer says itself when it was written; else the server's clock is better
let sending = null;
let unkept = null; // what went to the server past the queue and was not answered: its words, and its key

// That this device keeps nothing now: no room is left, or the browser allows no storage.
export class CannotKeep extends Error {}

// `replaces` is the key of the note that was corrected: it goes as the other comes, so that neither both nor none is kept.
export async function add(note, name, replaces = "") {
  const held = await all();
  if (replaces && !held.some(({ key }) => key === replaces)) throw new Error("The note that you correct waits no more: it was corrected or discarded in another window.");
  if (!replaces && held.length >= MOST) throw new Error(`This device keeps ${MOST} notes at most. Connect it first.`);
  const waiting = { key: crypto.randomUUID(), note, name, account: account(), written: Date.now(), refused: "" };
  await store("readwrite", (notes) => {
    if (replaces) notes.delete(replaces);
    return notes.put(waiting);
  });
  return waiting.key;
}

export async function all() {
  const found = await store("readonly", (notes) => notes.getAll());
  return found.sort((one, other) => one.written - other.written);
}

export function discard(key) {
  return store("readwrite", (notes) => notes.delete(key));
}

// Sends what waits, also what is added meanwhile; returns the keys that the server has, and what stopped it: `connection`, `login`,
// `role`, `server`, or nothing. Two at once would only do the same work.
export function sync() {
  sending ??= sendAll().finally(() => { sending = null; });
  return sending;
}

// Sends a note that this device could not keep. The same words sent again are the same note.
export async function sendUnkept(note) {
  const words = JSON.stringify(note);
  if (unkept?.words !== words) unkept = { words, key: crypto.randomUUID() };
  const found = await sendOne({ ...unkept, note, written: Date.now() });
  if (!found.stopped) unkept = null;
  return found;
}

async function sendAll() {
  const kept = [];
  for (;;) {
    const waiting = (await all()).find((one) => !one.refused && isMine(one) && !kept.includes(one.key));
    if (!waiting) return { kept, stopped: "" }; // each note is sent by whoever wrote it
    const { stopped, refused, kind } = await sendOne(waiting);
    if (stopped) return { kept, stopped }; // everything waits on
    if (refused) await store("readwrite", (notes) => notes.put({ ...waiting, refused, kind })); // no program throws it away
    else {
      kept.push(waiting.key);
      await discard(waiting.key);
    }
  }
}

async function sendOne({ key, note, written }) {
  let answer;
  try {
    const late = Date.now() - written > LATE_MS;
    const body = late ? { ...note, noted_at: new Date(written + (await clockBehindMs())).toISOString() } : note;
    answer = await send("/v1/notes", body, { headers: { "Idempotency-Key": key }, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (await isKept(answer, key)) return {};
    if (answer.status >= 500 || answer.status === 429) return { stopped: "server" };
    if (!isProblem(answer)) return { stopped: "connection" }; // what answers is not the server
    const { type, text } = await problemOf(answer);
    const kind = (type ?? "").split(":").pop();
    if (answer.status === 401 || kind === "form-token") return { stopped: "login" };
    if (answer.status === 403) return { stopped: "role" };
    return { refused: text, kind };
  } catch {
    return { stopped: "connection" };
  }
}

async function isKept(answer, key) {
  if (answer.redirected || ![200, 201].includes(answer.status)) return false;
  const said = await answer.json().catch(() => null); // a page is no JSON
  return said?.note_id === key;
}

function isProblem(answer) {
  return !answer.redirected && (answer.headers.get("Content-Type") ?? "").startsWith("application/problem+json");
}

// By how much the server's clock is ahead of this device's, which may be minutes off; to a second.
async function clockBehindMs() {
  const answer = await fetch("/v1/health", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  const apart = Date.parse(answer.headers.get("Date")) - Date.now();
  return Number.isFinite(apart) && Math.abs(apart) > 1_000 ? apart : 0;
}

function store(mode, work) {
  return new Promise((resolve, reject) => {
    const fail = (error) => reject(new CannotKeep(
      error?.name === "QuotaExceededError" ? "There is no room left on this device." : "This browser keeps nothing on this device.", { cause: error },
    ));
    try {
      const opening = indexedDB.open("sojourn-notes", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("notes", { keyPath: "key" });
      opening.onerror = () => fail(opening.error);
      opening.onsuccess = () => {
        const database = opening.result;
        try {
          const transaction = database.transaction("notes", mode);
          const asked = work(transaction.objectStore("notes"));
          transaction.oncomplete = () => { database.close(); resolve(asked.result); };
          transaction.onabort = () => { database.close(); fail(transaction.error ?? asked.error); };
        } catch (error) {
          database.close();
          fail(error);
        }
      };
    } catch (error) {
      fail(error);
    }
  });
}
