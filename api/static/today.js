// Keeps the page of today current: who is there now, and what is wrong.

import { Live } from "/static/live.js";
import { Plan, noun, words } from "/static/plan.js";

const page = document.getElementById("today");
const { store, timezone, steps } = page.dataset;
const plan = new Plan(steps);
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, timeStyle: "medium" });
const faultWords = words("fault-words");
const list = document.getElementById("alarms");
const blank = document.getElementById("alarm");
const ALARMS_EVERY_MS = 5_000; // limits are looked at every ten seconds
let alarms = [];
let askedAt = Date.now(); // the server has just written them

const live = new Live(store, timezone, (state) => {
  plan.show(new Map(state.occupancy.map((row) => [row.zone, row.people])));
  document.getElementById("total").textContent = state.total;
  document.getElementById("total-noun").textContent = noun(state.total);
  askAlarms(state.coverage.faults);
});

const calm = document.getElementById("no-alarms");
setInterval(showCalm, 1_000); // that nothing comes is no event

// says that nothing is wrong only while the store is heard
function showCalm() {
  if (!live.known) return; // until then the server's own words stand
  const section = calm.closest("section");
  const state = !calm.hidden ? (live.hears === "now" ? "fine" : "unknown") : "wrong";
  if (section.dataset.state !== state) section.dataset.state = state;
}

async function askAlarms(faults) {
  if (Date.now() - askedAt < ALARMS_EVERY_MS) return;
  askedAt = Date.now();
  try {
    const answer = await fetch(`/v1/stores/${encodeURIComponent(store)}/alerts?open=true&limit=10`);
    if (!answer.ok) return;
    alarms = (await answer.json()).alerts;
    showAlarms(faults);
  } catch {
    askedAt = 0; // the next state asks again
  }
}

function showAlarms(faults) {
  const lines = [
    ...alarms.map((alarm) => [
      alarm.zone ? `${alarm.title}, ${plan.name(alarm.zone)}` : alarm.title,
      `${alarm.kind === "queue_wait" ? "at least " : ""}${figure(alarm.value, alarm.unit)}, limit ${figure(alarm.opens_at, alarm.unit)}, since ${clock.format(new Date(alarm.opened_at))}`,
    ]),
    ...faults.map((fault) => [
      `Anchor ${fault.anchor}, ${plan.name(fault.zone)}`,
      `${faultWords.get(fault.state) ?? fault.state} since ${clock.format(new Date(fault.since))}`,
    ]),
  ];
  const shown = lines.map((line) => line.join("|")).join("\n");
  if (list.dataset.shown === shown) return; // a status: it is read aloud when it changes
  list.dataset.shown = shown;
  calm.hidden = lines.length > 0;
  showCalm();
  list.replaceChildren(...lines.map(([name, what]) => {
    const line = blank.content.firstElementChild.cloneNode(true);
    line.children[0].textContent = name;
    line.children[1].textContent = what;
    return line;
  }));
}

// as api/metrics/wording.py writes it: waits are steps of whole minutes
function figure(value, unit) {
  if (unit !== "s") return `${Math.round(value * 10) / 10} ${value === 1 ? unit.replace(/s$/, "") : unit}`;
  return value < 3_600 ? `${value / 60} min` : `${value / 3_600} h`;
}
