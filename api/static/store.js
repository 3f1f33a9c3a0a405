// Keeps the floor plan, the busiest zones and the newest visits of one store current.

import { Live, dwell, dwellRange } from "/static/live.js";
import { Plan, noun, words } from "/static/plan.js";

const page = document.getElementById("store");
const { store, timezone, zone: chosen } = page.dataset;
const newest = Number(page.dataset.newest);
const plan = new Plan(page.dataset.steps);
const zones = plan.zones;
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, timeStyle: "medium" });
const closedWords = words("closed-words");
const faultWords = words("fault-words");
const residentWords = words("resident-words");
const ranks = new Map([...document.querySelectorAll("#ranking li")].map((rank) => [rank.dataset.zone, rank]));
const ranking = document.getElementById("ranking");
const rows = document.getElementById("visit-rows");
const blank = document.getElementById("visit-row");
let shown = !rows ? "" : visitKeys([...rows.children].map((row) => ({ visit_id: row.dataset.visit, revision: row.dataset.revision })));
let asked = "";

new Live(store, timezone, (state) => {
  showPeople(state);
  showAnchors(state.coverage);
  if (!rows) return; // counts stand there for whoever may not read single visits
  if (!chosen) showVisits(state.newest_visits);
  else askVisits(visitKeys(state.newest_visits));
});

function showPeople(state) {
  const people = new Map(state.occupancy.map((row) => [row.zone, row.people]));
  document.getElementById("total").textContent = state.total;
  document.getElementById("residents").hidden = !state.resident_count;
  document.getElementById("residents-count").textContent = state.resident_count;
  document.getElementById("total-noun").textContent = `${noun(state.total)} in the store`;
  plan.show(people);
  showRanking(people);
}

function showAnchors(coverage) {
  const blankFault = document.getElementById("anchor-fault");
  const list = document.getElementById("anchor-faults");
  const shown = Number(document.getElementById("anchors").dataset.shown);
  document.getElementById("anchors").dataset.state = coverage.faults.length ? "faulty" : "whole";
  for (const working of document.querySelectorAll(".anchors-working")) working.textContent = coverage.working_count;
  list.hidden = !coverage.faults.length;
  list.replaceChildren(...coverage.faults.slice(0, shown).map((fault) => {
    const line = blankFault.content.firstElementChild.cloneNode(true);
    const [anchor, words, since] = line.children;
    line.dataset.anchor = fault.anchor;
    anchor.textContent = fault.anchor;
    words.textContent = `${zones.get(fault.zone)?.dataset.name ?? fault.zone}, ${faultWords.get(fault.state) ?? fault.state} since`;
    showTime(since, fault.since);
    return line;
  }));
}

function showRanking(people) {
  const most = Math.max(1, ...people.values());
  for (const [id, rank] of ranks) {
    const count = people.get(id) ?? 0;
    rank.dataset.people = count;
    const words = rank.querySelector(".rank-people");
    words.firstElementChild.textContent = count;
    words.lastChild.textContent = ` ${noun(count)}`;
    rank.querySelector(".bar-part").setAttribute("width", (100 * count) / most);
  }
  if (ranking.contains(document.activeElement)) return; // nothing moves away under a keyboard or a screen reader
  const order = [...ranking.children].sort((a, b) => b.dataset.people - a.dataset.people);
  order.forEach((rank, place) => {
    if (ranking.children[place] !== rank) ranking.insertBefore(rank, ranking.children[place]);
  });
}

function showVisits(visits) {
  const keys = visitKeys(visits);
  if (keys === shown) return;
  const known = new Set(shown.split(" "));
  shown = keys;
  rows.replaceChildren(...visits.map((visit) => {
    const row = blank.content.firstElementChild.cloneNode(true);
    const [zone, entered, left, length, bounds, confidence, closed] = row.children;
    row.dataset.visit = visit.visit_id;
    row.dataset.revision = visit.revision;
    const name = zones.get(visit.zone)?.dataset.name ?? visit.zone;
    zone.textContent = residentWords.has(visit.role) ? `${name} · ${residentWords.get(visit.role)}` : name;
    showTime(entered.firstElementChild, visit.entered_at);
    showTime(left.firstElementChild, visit.left_at);
    length.textContent = dwell(visit.dwell_s * 1_000);
    bounds.textContent = dwellRange(visit.dwell_at_least_s * 1_000, visit.dwell_at_most_s * 1_000);
    confidence.textContent = perCent(visit.confidence);
    const why = closedWords.get(visit.closed_by) ?? visit.closed_by;
    closed.textContent = visit.revision ? `${why} · ${document.getElementById("closed-words").dataset.revised}` : why;
    if (!known.has(visitKeys([visit]))) row.classList.add("fresh");
    return row;
  }));
  document.getElementById("no-visits").hidden = visits.length > 0;
}

// with a zone chosen, the stream's newest visits say when to ask for that zone's
async function askVisits(keys) {
  if (keys === asked) return;
  asked = keys;
  const question = new URLSearchParams({ zone: chosen, order: "left_at", limit: newest });
  try {
    const answer = await fetch(`/v1/stores/${encodeURIComponent(store)}/visits?${question}`);
    if (answer.ok) showVisits((await answer.json()).visits);
    else asked = "";
  } catch {
    asked = ""; // the next state asks again
  }
}

function showTime(element, iso) {
  element.dateTime = iso;
  element.textContent = clock.format(new Date(iso));
}

function visitKeys(visits) { return visits.map((visit) => `${visit.visit_id}:${visit.revision}`).join(" "); }

function perCent(share) { return `${share < 1 ? Math.min(99, Math.floor(share * 100 + 0.5)) : 100}%`; }
