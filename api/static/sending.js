// Sends what people write as JSON to the API, with the name of whoever is at work, and says what went wrong.

const COOKIE = "sojourn_operator";
const A_YEAR_S = 365 * 24 * 3600;

export function operator() {
  const held = document.cookie.split("; ").find((part) => part.startsWith(`${COOKIE}=`));
  return held ? decodeURIComponent(held.slice(COOKIE.length + 1)) : "";
}

function keepOperator(name) {
  document.cookie = `${COOKIE}=${encodeURIComponent(name)}; path=/; max-age=${A_YEAR_S}; samesite=strict`;
}

// The box "You are": shows the name, keeps it, and says whether there is one.
export function watchOperator(changed = () => {}) {
  const form = document.getElementById("who");
  const box = form.elements.operator;
  box.value = operator();
  const keep = () => {
    const name = box.value.trim();
    if (name && name !== operator()) {
      keepOperator(name);
      changed();
    }
  };
  box.addEventListener("change", keep);
  form.addEventListener("submit", (event) => { event.preventDefault(); keep(); box.blur(); });
}

export async function send(url, body, { method = "POST", name = operator(), headers = {} } = {}) {
  return fetch(url, {
    method,
    headers: { "Content-Type": "application/json", "Sojourn-Operator": encodeURIComponent(name), ...headers },
    body: JSON.stringify(body),
  });
}

export async function problemOf(answer) {
  try {
    const { detail, hint, faults, type } = await answer.json();
    const said = type?.endsWith(":value") && faults ? faults.map((fault) => `${fault.where.replace(/^body\./, "")}: ${fault.what}`) : [detail];
    return { type, text: [...said, hint].filter(Boolean).join(" ") };
  } catch {
    return { type: "", text: `The server answered ${answer.status}. Try again in a moment.` };
  }
}

// A form's fields as the API takes them: a name with a dot nests, what is empty is left out, one name several times is a list.
export function fieldsOf(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || ((field.type === "checkbox" || field.type === "radio") && !field.checked)) continue;
    const listed = field.name === "tags";
    const value = field.dataset.kind === "number" ? Number(field.value) : field.dataset.kind === "boolean" ? field.checked : field.value.trim();
    if (value === "") continue;
    const [outer, inner] = field.name.split(".");
    if (inner) (found[outer] ??= {})[inner] = value;
    else if (listed) (found[outer] ??= []).push(value);
    else found[outer] = value;
  }
  return found;
}
