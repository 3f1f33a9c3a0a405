// Notes that wait on this device: kept before they are sent, sent in their order, removed once the server says that it has
// this very note. What stands between, a hotspot's login page or a proxy, answers too, and often with 200.
// Each has a key of its own, so that one that was sent and not answered is kept once when it is sent again.

import { account, isMine, problemOf, send } from "/static/sending.js";

export const MOST = 200; // two full days without a connection
const LATE_MS = 60_000; // a note that waited longer says itself when it was written; else the server's clock is better
let sending = null;

export async function add(note, name) {
  if ((await all()).length >= MOST) throw new Error(`This device keeps ${MOST} notes at most. Connect it first.`);
  const waiting = { key: crypto.randomUUID(), note, name, account: account(), written: Date.now(), refused: "" };
  await store("readwrite", (notes) => notes.put(waiting));
  return waiting.key;
}

export async function all() {
  const found = await store("readonly", (notes) => notes.getAll());
  return found.sort((one, other) => one.written - other.written);
}

export function discard(key) {
  return store("readwrite", (notes) => notes.delete(key));
}

// Sends what waits; returns the keys that the server has. Two at once would only do the same work.
export function sync() {
  sending ??= sendAll().finally(() => { sending = null; });
  return sending;
}

async function sendAll() {
  const kept = [];
  for (const waiting of await all()) {
    if (waiting.refused || !isMine(waiting)) continue; // each note is sent by whoever wrote it
    const late = Date.now() - waiting.written > LATE_MS;
    let answer;
    try {
      const body = late ? { ...waiting.note, noted_at: new Date(waiting.written + (await clockBehindMs())).toISOString() } : waiting.note;
      answer = await send("/v1/notes", body, { headers: { "Idempotency-Key": waiting.key } });
    } catch {
      return kept; // no connection: everything waits on
    }
    if (await isKept(answer, waiting.key)) {
      await discard(waiting.key);
      kept.push(waiting.key);
    } else if (answer.status >= 500 || [401, 403, 429].includes(answer.status) || !isProblem(answer)) {
      return kept; // it waits for a login too, and for the server's own word
    } else {
      waiting.refused = (await problemOf(answer)).text; // nothing written is thrown away by a program
      await store("readwrite", (notes) => notes.put(waiting));
    }
  }
  return kept;
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
  const said = Date.parse((await fetch("/v1/health", { cache: "no-store" })).headers.get("Date"));
  const apart = said - Date.now();
  return Number.isFinite(apart) && Math.abs(apart) > 1_000 ? apart : 0;
}

function store(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("sojourn-notes", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("notes", { keyPath: "key" });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction("notes", mode);
      const asked = work(transaction.objectStore("notes"));
      transaction.oncomplete = () => { database.close(); resolve(asked.result); };
      transaction.onabort = () => { database.close(); reject(transaction.error); };
    };
  });
}
