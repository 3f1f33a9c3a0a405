// What the pages with a live floor plan share.

export class Plan {
  // steps: least people for each step of heat
  constructor(steps) {
    this.steps = steps.split(",").map(Number);
    this.zones = new Map([...document.querySelectorAll(".zone")].map((zone) => [zone.dataset.zone, zone]));
  }

  show(people) {
    for (const [id, zone] of this.zones) {
      const count = people.get(id) ?? 0;
      zone.querySelector("polygon").setAttribute("class", `heat-${this.step(count)}`);
      for (const figure of zone.querySelectorAll(".zone-people")) figure.textContent = count;
      zone.setAttribute("aria-label", `${zone.dataset.name}: ${count} ${noun(count)}. Show its visits.`);
    }
  }

  name(id) { return this.zones.get(id)?.dataset.name ?? id; }

  step(count) { return this.steps.filter((least) => count >= least).length; }
}

export function noun(count) { return count === 1 ? "person" : "people"; }

// a hidden list of words by their code
export function words(id) {
  const list = document.getElementById(id).children;
  const pairs = [];
  for (let place = 0; place < list.length; place += 2) pairs.push([list[place].textContent, list[place + 1].textContent]);
  return new Map(pairs);
}
