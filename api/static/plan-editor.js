// The floor plan editor: fields, lists, check, download and save around the board.

import { Board } from "/static/plan-board.js";
import { Draft } from "/static/plan-draft.js";
import { Plan, tenth, wallLength } from "/static/plan-model.js";
import { formHeaders } from "/static/sending.js";

const CHECK_AFTER_MS = 400; // once a person pauses

const page = document.getElementById("plan-editor");
const field = (id) => document.getElementById(id);
const forms = { zone: field("zone-fields"), anchor: field("anchor-fields"), wall: field("wall-fields") };
const ENDS = ["from", "to"]; // fields of a wall
const status = field("plan-status");
const plan = new Plan();
const board = new Board(plan, field("plan-svg"), field("plan-canvas"), say, showZoom);
let timer = 0, asked = 0, draft = null;

function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("plan-editor-bad", bad);
}

function showZoom({ scale, largest }) {
  field("plan-smaller").disabled = field("plan-whole").disabled = scale === 1;
  field("plan-larger").disabled = largest;
}

plan.changed = () => {
  draft?.keep();
  board.draw();
  showFields();
  showList("plan-zones", "zone", plan.store.zones, (zone) => `${zone.name ?? zone.id} · ${(zone.kind ?? "department").replace("_", " ")}`);
  showList("plan-anchors", "anchor", plan.store.anchors, (anchor) => `${anchor.id} · ${anchor.zone}`);
  showList("plan-walls", "wall", plan.things("wall"), (wall, place) => `Wall ${place + 1} · ${tenth(wallLength(wall))} m`);
  field("plan-undo").disabled = !plan.before.length;
  field("plan-width").value = tenth(plan.width);
  field("plan-text").textContent = plan.text();
  clearTimeout(timer);
  timer = setTimeout(check, CHECK_AFTER_MS);
};

function showList(id, kind, things, label) {
  field(id).replaceChildren(...things.map((thing, place) => {
    const line = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = label(thing, place);
    const picked = plan.chosen?.kind === kind && plan.chosen.place === place;
    button.setAttribute("aria-pressed", String(picked));
    button.addEventListener("click", () => board.show({ kind, place }));
    line.append(button);
    return line;
  }));
}

// Fill in what is selected; a field in which somebody types is left alone.
function showFields() {
  const thing = plan.thing(), kind = thing ? plan.chosen.kind : "";
  for (const [name, form] of Object.entries(forms)) form.hidden = kind !== name;
  field("plan-nothing").hidden = Boolean(thing);
  field("plan-chosen-title").textContent = thing ? title(kind, thing) : "Nothing is selected";
  for (const [id, value] of [["store-id", plan.store.id], ["store-name", plan.store.name], ["store-timezone", plan.store.timezone]]) fill(field(id), value);
  if (!thing) return;
  const form = forms[kind];
  const others = plan.store.zones.filter((zone) => zone !== thing).map((zone) => [zone.id, zone.name ?? zone.id]);
  if (kind === "zone") options(form.elements.parent, [["", "No other zone"], ...others]);
  else if (kind === "anchor") options(form.elements.zone, plan.store.zones.map((zone) => [zone.id, zone.name ?? zone.id]));
  for (const input of form.elements) {
    if (!input.name) continue;
    const value = thing[input.name];
    if (kind === "wall") fill(input, thing[ENDS.indexOf(input.name)].join(" "));
    else if (input.name === "outline") fill(input, (value ?? []).map((point) => point.join(" ")).join(", "));
    else fill(input, input.name === "kind" ? value ?? "department" : value);
  }
}

function title(kind, thing) {
  if (kind === "wall") return `Wall ${plan.chosen.place + 1}`;
  return `${kind === "zone" ? "Zone" : "Anchor"} ${thing.name ?? thing.id}`;
}

function fill(input, value) {
  if (input !== document.activeElement || input.tagName === "SELECT") input.value = value ?? "";
}

function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, label]) => new Option(label, value)));
}

for (const form of Object.values(forms)) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => plan.change(() => set(target.name, target.value.trim())));
  form.querySelector("[data-remove]").addEventListener("click", () => {
    plan.choose({ kind: plan.chosen.kind, place: plan.chosen.place });
    plan.remove();
    say("Removed.");
  });
}

// Points that somebody wrote as 0 0, 8 0; null where that is none.
function points(value) {
  const found = value.split(",").map((point) => point.trim().split(/\s+/).map(Number));
  return found.every((point) => point.length === 2 && point.every(Number.isFinite)) ? found : null;
}

function set(name, value) {
  const thing = plan.thing();
  if (name === "outline") {
    const outline = points(value);
    if (outline?.length >= 3) thing.outline = outline;
    else say("Write at least three corners, such as 0 0, 8 0, 8 5.", true);
  } else if (plan.chosen.kind === "wall") {
    const end = points(value);
    if (end?.length === 1) [thing[ENDS.indexOf(name)]] = end;
    else say("Write where the wall ends, such as 8 0.", true);
  } else if (name === "id" && plan.chosen.kind === "zone") plan.rename(thing.id, value);
  else if (["x", "y", "floor"].includes(name) && value !== "") thing[name] = Number(value);
  else if (value === "" && name !== "id") delete thing[name];
  else thing[name] = value;
}

for (const name of ["id", "name", "timezone"]) {
  field(`store-${name}`).addEventListener("change", ({ target }) => plan.change((store) => {
    if (target.value.trim() === "" && name === "name") delete store.name;
    else store[name] = target.value.trim();
  }));
}
for (const radio of document.querySelectorAll("[name=plan-tool]")) {
  radio.addEventListener("change", () => {
    board.tool = radio.value;
    field("plan-board").dataset.tool = radio.value;
  });
}
field("zone-add").addEventListener("click", () => plan.addZone());
field("anchor-add").addEventListener("click", () => plan.addAnchor() || say("Add a zone first: every anchor stands in one.", true));
field("wall-add").addEventListener("click", () => plan.addWall());
field("corner-add").addEventListener("click", () => plan.addCorner());
field("plan-undo").addEventListener("click", () => plan.undo());
for (const step of ["larger", "smaller", "whole"]) field(`plan-${step}`).addEventListener("click", () => board.view[step]());
field("plan-width").addEventListener("change", ({ target }) => {
  const width = Number(target.value);
  if (width >= 1 && width <= 2000) plan.width = width;
  plan.changed();
});
field("plan-picture").addEventListener("change", async ({ target }) => {
  try {
    await board.picture(target.files[0]);
    say("Now say how wide the picture is in metres.");
  } catch {
    say("This picture cannot be read. PNG, JPEG and WebP can.", true);
  }
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=radio]), textarea");
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
    event.preventDefault();
    plan.undo();
  }
});
field("plan-download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([plan.text()], { type: "application/json" }));
  link.download = `${plan.store.id || "floor-plan"}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
field("plan-save").addEventListener("click", save);

async function check() {
  const number = (asked += 1);
  const verdict = field("plan-verdict");
  try {
    const answer = await fetch("/v1/plans/check", { method: "POST", headers: { "Content-Type": "application/json", ...formHeaders() }, body: plan.text() });
    if (!answer.ok) throw new Error(String(answer.status));
    const { usable, findings } = await answer.json();
    if (number !== asked) return; // an older answer
    verdict.textContent = usable ? (findings.length ? "It can be used, but:" : "Nothing is wrong.") : "It cannot be used yet:";
    field("plan-findings").replaceChildren(...findings.map((one) => {
      const line = document.createElement("li");
      line.textContent = `Line ${one.line}: ${one.what} ${one.hint}`;
      line.className = one.grave ? "plan-editor-bad" : "";
      return line;
    }));
  } catch {
    if (number === asked) verdict.textContent = "The server cannot check it now.";
  }
}

async function save() {
  if (!plan.store.id) {
    say("Give the store an id first.", true);
    field("store-id").focus();
    return;
  }
  say("Saving …");
  const text = plan.text();
  try {
    const answer = await fetch(`/v1/stores/${encodeURIComponent(plan.store.id)}/plan`, {
      method: "PUT", headers: { "Content-Type": "application/json", ...formHeaders() }, body: text,
    });
    const said = await answer.json();
    if (answer.ok) draft.done(text);
    if (answer.ok) say(said.changed ? `Saved as version ${said.plan_version}. Ingest takes it into use within seconds.` : "Nothing has changed since it was saved.");
    else say([said.detail, said.faults?.[0]?.what ?? said.hint].join(" "), true);
  } catch {
    say("The server cannot be reached. What you drew stays in this browser; download it to have it elsewhere.", true);
  }
}

async function begin(store) {
  if (store) {
    const answer = await fetch(`/v1/stores/${encodeURIComponent(store)}/plan`);
    if (!answer.ok) return say("The plan cannot be read now. Reload the page.", true);
    plan.load((await answer.json()).stores[0]);
  } else plan.changed();
  draft = new Draft(plan, store);
  return say(draft.restore());
}

await begin(page.dataset.store);
