// Says on every page how much is due for whoever is at work: a figure beside Follow-ups, and a word for who cannot see it.
// Notes that wait on this device are sent from every page too; the page for notes sends them itself and says so.

import { sync } from "/static/queue.js";

const EVERY_MS = 60_000;
const link = document.querySelector('nav a[href="/follow-ups"]');
const named = () => document.cookie.split("; ").some((part) => part.startsWith("sojourn_operator="));

async function look() {
  if (!named() || document.hidden) return;
  if (!document.getElementById("capture-page")) sync().catch(() => {}); // a browser that keeps nothing has nothing to send
  let found;
  try {
    const answer = await fetch("/v1/follow-ups/due-count");
    if (!answer.ok) return;
    found = await answer.json();
  } catch {
    return; // no connection: what was said last stands
  }
  link.querySelector(".due-count")?.remove();
  if (!found.due_count && !found.nobodys_count) return;
  const count = document.createElement("span");
  count.className = "due-count";
  count.dataset.overdue = String(found.overdue_count > 0);
  count.textContent = found.due_count + found.nobodys_count;
  const word = document.createElement("span");
  word.className = "unseen";
  word.textContent = ` due, ${found.overdue_count} overdue${found.nobodys_count ? `, ${found.nobodys_count} nobody's` : ""}`;
  count.append(word);
  link.append(" ", count);
}

look();
setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
