// Sends what people write as JSON to the API, as whoever is logged in, and says what went wrong.

// The name of whoever is logged in; empty for nobody.
export function operator() {
  return decodeURIComponent(cookie("sojourn_operator"));
}

// Whose login it is; names are not unique. Empty for nobody, and for a login of before there was this cookie.
export function account() {
  return cookie("sojourn_account");
}

// Whether what is kept on this device, with `name` and `account` of its writer, is of whoever is logged in.
export function isMine({ name, account: writer }) {
  return writer ? writer === account() : !!name && name === operator();
}

function cookie(name) {
  const held = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return held ? held.slice(name.length + 1) : "";
}

// What our own pages send with every change: a token that another site cannot read.
export function formHeaders() {
  return { "Sojourn-Form": cookie("sojourn_form") };
}

export async function send(url, body, { method = "POST", headers = {}, signal } = {}) {
  return fetch(url, {
    method,
    signal,
    headers: { "Content-Type": "application/json", ...formHeaders(), ...headers },
    body: JSON.stringify(body),
  });
}

// What is wrong, in words for people: a hint that names an address of the API is for programs.
export async function problemOf(answer) {
  try {
    const { detail, hint: advice, faults, type } = await answer.json();
    const hint = /^(GET|PUT|POST|DELETE) /.test(advice) ? "" : advice;
    const said = type?.endsWith(":value") && faults ? faults.map((fault) => `${fault.where.replace(/^body\./, "")}: ${fault.what}`) : [detail];
    return { type, text: [...said, hint].filter(Boolean).join(" ") };
  } catch {
    return { type: "", text: `The server answered ${answer.status}. Try again in a moment.` };
  }
}

// A form's fields as the API takes them: a name with a dot nests, what is empty is left out (data-empty="null": null), one name
// several times is a list.
export function fieldsOf(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || ((field.type === "checkbox" || field.type === "radio") && !field.checked)) continue;
    const listed = field.name === "tags";
    const said = field.dataset.kind === "number" ? Number(field.value) : field.dataset.kind === "boolean" ? field.checked : field.value.trim();
    if (said === "" && field.dataset.empty !== "null") continue;
    const value = said === "" ? null : said;
    const [outer, inner] = field.name.split(".");
    if (inner) (found[outer] ??= {})[inner] = value;
    else if (listed) (found[outer] ??= []).push(value);
    else found[outer] = value;
  }
  return found;
}
